#include "cache/store_key.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>

#include "cache/keyed_hash.h"
#include "cache/posix_env.h"

namespace cabinetfs {
namespace {

void wipe_text(std::string& text) {
  wipe(std::as_writable_bytes(std::span(text.data(), text.size())));
}

// Takes the key's hex form apart and wipes it. `where` is for people.
Result<Sealer::Key> parse_key(std::string text, const std::string& where) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  auto bytes = from_hex(text);
  wipe_text(text);
  Sealer::Key key;
  if (!bytes || bytes->size() != key.size())
    return fail(ErrorCode::kCorrupt, fmt::format("the store's key in {} is damaged", where));
  std::copy(bytes->begin(), bytes->end(), key.begin());
  wipe(*bytes);
  return key;
}

Result<std::optional<Sealer::Key>> find_in_file(const std::string& path) {
  auto text = read_file(path, 4096);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::optional<Sealer::Key>();
  if (!text) return fail(std::move(text).error());
  TRY_ASSIGN(const Sealer::Key key, parse_key(*std::move(text), path));
  return std::optional<Sealer::Key>(key);
}

Result<std::optional<Sealer::Key>> find_secret(const SecretAccess& secrets,
                                               const std::string& name) {
  TRY_ASSIGN(std::optional<std::string> text, secrets.get(name));
  if (!text) return std::optional<Sealer::Key>();
  TRY_ASSIGN(const Sealer::Key key, parse_key(*std::move(text), fmt::format("secret {}", name)));
  return std::optional<Sealer::Key>(key);
}

Result<Sealer::Key> random_key() {
  Sealer::Key key;
  if (RAND_priv_bytes(reinterpret_cast<unsigned char*>(key.data()), key.size()) != 1)
    return fail(ErrorCode::kInternal, "OpenSSL has no random numbers");
  return key;
}

Result<void> keep_secret(const SecretAccess& secrets, const std::string& name,
                         const Sealer::Key& key) {
  std::string text = to_hex(key);
  auto kept = secrets.set(name, text);
  wipe_text(text);
  TRY(kept);
  // Unsent changes will depend on it: see that it is really there before the first is sealed.
  TRY_ASSIGN(const std::optional<Sealer::Key> back, find_secret(secrets, name));
  if (back != key)
    return fail(ErrorCode::kIo, fmt::format("the keyring did not keep secret {}", name));
  return {};
}

}  // namespace

Result<Sealer::Key> load_store_key(const std::string& dir, const std::string& name,
                                   bool store_exists, const SecretAccess* secrets) {
  const std::string path = dir + "/store.key";
  TRY_ASSIGN(const std::optional<Sealer::Key> in_file, find_in_file(path));
  if (in_file) return *in_file;
  if (secrets != nullptr) {
    TRY_ASSIGN(const std::optional<Sealer::Key> secret, find_secret(*secrets, name));
    if (secret) return *secret;
  }
  if (store_exists)
    return fail(ErrorCode::kDenied,
                fmt::format("the key of the store in {} is neither in {} nor in the keyring ({}): "
                            "mount it from the session that it was made in, whose keyring may have "
                            "it, or put it back. With the directory moved away an empty store is "
                            "made; what is unsent stays behind",
                            dir, path, name));
  TRY_ASSIGN(const Sealer::Key key, random_key());
  if (secrets != nullptr) {
    TRY(keep_secret(*secrets, name, key));
    return key;
  }
  std::string text = to_hex(key) + "\n";
  auto written = atomic_write_file(path, as_bytes(text));
  wipe_text(text);
  TRY(written);
  return key;
}

}  // namespace cabinetfs
