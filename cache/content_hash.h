#pragma once

#include <memory>
#include <string>

#include "backend/base/text.h"
#include "backend/remote_types.h"

struct evp_md_ctx_st;

namespace cabinetfs {

// Checks a whole content against what the server says it hashes to, as its bytes come in order. Not
// thread safe.
class ContentHash {
 public:
  // MD5 where it is known (it is twice as fast, and this is about damage on the way, not about
  // forgery: who could forge the content could forge the hash beside it), else SHA3-256. nullptr
  // when neither is known; anything that is not the hex of a whole hash counts as not known.
  static std::unique_ptr<ContentHash> make(const ContentHashes& hashes);
  ~ContentHash();
  ContentHash(const ContentHash&) = delete;
  ContentHash& operator=(const ContentHash&) = delete;

  void update(Bytes bytes);
  // Ends it: the bytes so far are the whole.
  bool matches();

 private:
  ContentHash(std::string algorithm, std::string expected);
  evp_md_ctx_st* const context_;
  const std::string expected_;
};

}  // namespace cabinetfs
