#include "backend/auth/jwt.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "backend/auth/oauth.h"
#include "backend/base/text.h"

namespace cabinetfs {
namespace {

constexpr std::size_t kMaxKeyFile = 64u << 10;
// The server's clock may be behind ours: what is issued later than its now, or not valid yet, would
// be refused.
constexpr std::chrono::seconds kClockSlack{60};

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// A passphrase cannot be asked for in the background; without this, OpenSSL asks the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

Result<SecretString> make_jwt_assertion(const JwtClaims& claims,
                                        const SecretString& private_key_pem, WallTime now) {
  const std::string& pem = private_key_pem.reveal();
  const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<EVP_PKEY, Free> key(
      bio == nullptr ? nullptr
                     : PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_passphrase, nullptr));
  if (key == nullptr) {
    return fail(ErrorCode::kInvalid, "the private key is no PEM, or is encrypted");
  }
  if (EVP_PKEY_base_id(key.get()) != EVP_PKEY_RSA) {
    return fail(ErrorCode::kInvalid, "the private key is no RSA key");
  }
  TRY_ASSIGN(const std::string id, random_token());
  const auto issued =
      (std::chrono::floor<std::chrono::seconds>(now) - kClockSlack).time_since_epoch().count();
  const nlohmann::json header = {{"alg", "RS256"}, {"typ", "JWT"}};
  const nlohmann::json body = {{"iss", claims.issuer},
                               {"sub", claims.subject},
                               {"aud", claims.audience},
                               {"iat", issued},
                               {"nbf", issued},
                               {"exp", issued + claims.lifetime.count()},
                               {"jti", id}};
  const auto replace = nlohmann::json::error_handler_t::replace;
  std::string text = to_base64url(as_bytes(header.dump())) + "." +
                     to_base64url(as_bytes(body.dump(-1, ' ', false, replace)));
  const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  const auto* data = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t size = 0;
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, data, text.size()) != 1) {
    return fail(ErrorCode::kInternal, "the assertion could not be signed");
  }
  std::vector<unsigned char> signature(size);
  if (EVP_DigestSign(context.get(), signature.data(), &size, data, text.size()) != 1) {
    return fail(ErrorCode::kInternal, "the assertion could not be signed");
  }
  text += "." + to_base64url(std::as_bytes(std::span(signature.data(), size)));
  return SecretString(std::move(text));
}

Result<SecretString> read_private_key(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(ErrorCode::kIo, path + ": " + std::generic_category().message(errno));
  const std::unique_ptr<const int, void (*)(const int*)> owner(&fd,
                                                               [](const int* p) { ::close(*p); });
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return fail(ErrorCode::kIo, path + ": not a regular file");
  }
  if ((info.st_mode & 077) != 0) {
    return fail(ErrorCode::kDenied,
                path + " is a private key that others may read; `chmod 600` it");
  }
  std::string text(kMaxKeyFile, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::kIo, path + ": " + std::generic_category().message(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  SecretString key(text.substr(0, size));
  SecretString::wipe(text);
  return key;
}

}  // namespace cabinetfs
