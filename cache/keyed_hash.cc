#include "cache/keyed_hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <stdexcept>

namespace cabinetfs {
namespace {

const unsigned char* data_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// The library refuses only when it is not usable at all (no memory, a broken installation).
void require(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL: HMAC-SHA256 failed");
}

}  // namespace

void wipe(MutableBytes bytes) { OPENSSL_cleanse(bytes.data(), bytes.size()); }

struct KeyedHash::Context {
  explicit Context(const Sealer::Key& key) {
    EVP_MAC* mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    context = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);  // the context holds it
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    require(context != nullptr &&
            EVP_MAC_init(context, reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                         params) == 1);
  }
  ~Context() { EVP_MAC_CTX_free(context); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  EVP_MAC_CTX* context = nullptr;
};

KeyedHash::KeyedHash(const Sealer::Key& key) : key_(key) {}
KeyedHash::~KeyedHash() { wipe(key_); }

Sealer::Key KeyedHash::digest(std::string_view domain, std::string_view value) const {
  Sealer::Key out;
  contexts_.with([this] { return std::make_unique<Context>(key_); },
                 [&](Context& hash) {
                   const auto length = static_cast<unsigned char>(domain.size());
                   std::size_t size = 0;
                   // Without a key, init goes back to the state just after the key.
                   require(EVP_MAC_init(hash.context, nullptr, 0, nullptr) == 1 &&
                           EVP_MAC_update(hash.context, &length, 1) == 1 &&
                           EVP_MAC_update(hash.context, data_of(domain), domain.size()) == 1 &&
                           EVP_MAC_update(hash.context, data_of(value), value.size()) == 1 &&
                           EVP_MAC_final(hash.context, reinterpret_cast<unsigned char*>(out.data()),
                                         &size, out.size()) == 1 &&
                           size == out.size());
                 });
  return out;
}

Sealer::NameKey KeyedHash::name_key(std::string_view domain, std::string_view value) const {
  const Sealer::Key full = digest(domain, value);
  Sealer::NameKey key;
  std::copy_n(full.begin(), key.size(), key.begin());
  return key;
}

}  // namespace cabinetfs
