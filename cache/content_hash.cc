#include "cache/content_hash.h"

#include <openssl/evp.h>

#include <array>
#include <utility>

namespace cabinetfs {

namespace {

bool is_hash(const std::string& text, std::size_t bytes) {
  const auto parsed = from_hex(text);
  return parsed && parsed->size() == bytes;
}

}  // namespace

std::unique_ptr<ContentHash> ContentHash::make(const ContentHashes& hashes) {
  std::unique_ptr<ContentHash> result;
  if (is_hash(hashes.md5, 16)) result.reset(new ContentHash("MD5", hashes.md5));
  // A machine whose policy forbids MD5 falls through to the other.
  if (result && !result->context_) result.reset();
  if (!result && is_hash(hashes.sha3_256, 32))
    result.reset(new ContentHash("SHA3-256", hashes.sha3_256));
  if (result && !result->context_) result.reset();
  return result;
}

namespace {

EVP_MD_CTX* start(const std::string& algorithm) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const EVP_MD* const md = EVP_get_digestbyname(algorithm.c_str());
  if (context && md && EVP_DigestInit_ex(context, md, nullptr) == 1) return context;
  EVP_MD_CTX_free(context);
  return nullptr;
}

}  // namespace

ContentHash::ContentHash(std::string algorithm, std::string expected)
    : context_(start(algorithm)), expected_(std::move(expected)) {}

ContentHash::~ContentHash() { EVP_MD_CTX_free(context_); }

void ContentHash::update(Bytes bytes) { EVP_DigestUpdate(context_, bytes.data(), bytes.size()); }

bool ContentHash::matches() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (EVP_DigestFinal_ex(context_, digest.data(), &length) != 1) return false;
  const auto expected = from_hex(expected_);
  return expected && to_hex(std::as_bytes(std::span(digest.data(), length))) == to_hex(*expected);
}

}  // namespace cabinetfs
