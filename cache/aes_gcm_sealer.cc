#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

#include "cache/context_pool.h"
#include "cache/keyed_hash.h"
#include "cache/sealer.h"

namespace cabinetfs {
namespace {

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
static_assert(kNonceBytes + kTagBytes == Sealer::kOverhead);

// OpenSSL counts in int.
constexpr std::size_t kMaxUpdate = std::size_t{1} << 30;

unsigned char* uc(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* uc(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

// Encryption fails only when the library is not usable (no memory, no random numbers). Writing
// something else in place of sealed bytes is not an option, so this does not return.
[[noreturn]] void unusable() { throw std::runtime_error("OpenSSL: AES-256-GCM failed"); }

// One direction of the cipher, keyed. Setting the key once and only the nonce per message is what
// makes small messages cheap.
template <bool kEncrypt>
class Cipher {
 public:
  explicit Cipher(const Sealer::Key& key) : context_(EVP_CIPHER_CTX_new()) {
    if (context_ == nullptr || EVP_CipherInit_ex2(context_, EVP_aes_256_gcm(), uc(key.data()),
                                                  nullptr, kEncrypt ? 1 : 0, nullptr) != 1)
      unusable();
  }
  ~Cipher() { EVP_CIPHER_CTX_free(context_); }  // wipes the key schedule
  Cipher(const Cipher&) = delete;
  Cipher& operator=(const Cipher&) = delete;

  // `tag` is written when encrypting and compared when decrypting; false when it differs.
  bool run(const std::byte* nonce, Bytes aad, Bytes in, std::byte* out, std::byte* tag) {
    if (EVP_CipherInit_ex2(context_, nullptr, nullptr, uc(nonce), -1, nullptr) != 1) unusable();
    update(nullptr, aad);
    update(out, in);
    int length = 0;
    unsigned char none[16];  // GCM has nothing left to write
    if constexpr (kEncrypt) {
      if (EVP_CipherFinal_ex(context_, none, &length) != 1 ||
          EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_GCM_GET_TAG, kTagBytes, tag) != 1)
        unusable();
      return true;
    } else {
      if (EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_GCM_SET_TAG, kTagBytes, tag) != 1) unusable();
      return EVP_CipherFinal_ex(context_, none, &length) == 1;
    }
  }

 private:
  void update(std::byte* out, Bytes in) {
    while (!in.empty()) {
      const std::size_t part = std::min(in.size(), kMaxUpdate);
      int length = 0;
      if (EVP_CipherUpdate(context_, out == nullptr ? nullptr : uc(out), &length, uc(in.data()),
                           static_cast<int>(part)) != 1)
        unusable();
      if (out != nullptr) out += part;
      in = in.subspan(part);
    }
  }

  EVP_CIPHER_CTX* context_;
};

// Layout: nonce (12 bytes), ciphertext, tag (16 bytes).
//
// Nonces are random. Two equal ones under one key would be fatal for these two messages; with 96
// bits, n messages meet with a chance of about n^2 / 2^97: 2^-33 after 2^32 messages, the usual
// limit. That is 256 TiB of blocks of 64 KiB, or 136 rows a second for a year, of one store. They
// come from OpenSSL's generator of each thread, which notices a fork.
class AesGcmSealer final : public Sealer {
 public:
  explicit AesGcmSealer(const Key& key) : AesGcmSealer(KeyedHash(key)) {}
  ~AesGcmSealer() override { wipe(key_); }

  void seal(Bytes aad, Bytes in, MutableBytes out) const override {
    if (out.size() != in.size() + kOverhead) throw std::logic_error("seal: wrong buffer size");
    if (RAND_bytes(uc(out.data()), kNonceBytes) != 1) unusable();
    encryptors_.with([this] { return std::make_unique<Cipher<true>>(key_); },
                     [&](Cipher<true>& cipher) {
                       cipher.run(out.data(), aad, in, out.data() + kNonceBytes,
                                  out.data() + kNonceBytes + in.size());
                     });
  }

  Result<void> open(Bytes aad, Bytes in, MutableBytes out) const override {
    if (in.size() < kOverhead || out.size() != in.size() - kOverhead)
      return fail(ErrorCode::kCorrupt, fmt::format("sealed bytes: {} is too short", in.size()));
    // SET_TAG takes a non-const pointer.
    std::array<std::byte, kTagBytes> tag;
    std::copy_n(in.end() - kTagBytes, kTagBytes, tag.begin());
    const bool authentic =
        decryptors_.with([this] { return std::make_unique<Cipher<false>>(key_); },
                         [&](Cipher<false>& cipher) {
                           return cipher.run(in.data(), aad, in.subspan(kNonceBytes, out.size()),
                                             out.data(), tag.data());
                         });
    if (!authentic) {
      // Nobody may use what was decrypted before the tag was seen to be wrong.
      wipe(out);
      return fail(ErrorCode::kCorrupt, "sealed bytes do not match their tag");
    }
    return {};
  }

  NameKey name_key(std::string_view domain, std::string_view value) const override {
    return names_.name_key(domain, value);
  }

 private:
  // Neither use of the store's key touches the other.
  explicit AesGcmSealer(const KeyedHash& root)
      : key_(root.digest("subkey", "seal 1")), names_(root.digest("subkey", "names 1")) {}

  Key key_;
  KeyedHash names_;
  mutable ContextPool<Cipher<true>> encryptors_;
  mutable ContextPool<Cipher<false>> decryptors_;
};

}  // namespace

std::unique_ptr<Sealer> Sealer::aes_gcm(const Key& key) {
  return std::make_unique<AesGcmSealer>(key);
}

}  // namespace cabinetfs
