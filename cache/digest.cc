#include "cache/digest.h"

#include <openssl/evp.h>

#include <array>

namespace cabinetfs {

struct Md5::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> evp{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

Md5::Md5() : context_(std::make_unique<Context>()) {
  EVP_DigestInit_ex(context_->evp.get(), EVP_md5(), nullptr);
}
Md5::~Md5() = default;

void Md5::update(Bytes bytes) { EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size()); }

std::string Md5::finish() {
  std::array<std::byte, EVP_MAX_MD_SIZE> out;
  unsigned size = 0;
  EVP_DigestFinal_ex(context_->evp.get(), reinterpret_cast<unsigned char*>(out.data()), &size);
  return to_hex(Bytes(out.data(), size));
}

}  // namespace cabinetfs
