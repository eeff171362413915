#pragma once

#include <memory>
#include <string>

#include "backend/base/text.h"

namespace cabinetfs {

// Incremental MD5, for comparing with a vendor's fingerprint (integrity in transit, not security).
class Md5 {
 public:
  Md5();
  ~Md5();
  Md5(const Md5&) = delete;
  Md5& operator=(const Md5&) = delete;
  void update(Bytes bytes);
  // Lower-case hex; ends the computation.
  std::string finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace cabinetfs
