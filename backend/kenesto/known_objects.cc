#include "backend/kenesto/known_objects.h"

#include <fmt/format.h>

#include <functional>
#include <utility>

namespace cabinetfs::kenesto {
namespace {

constexpr std::size_t kObjects = 200'000;
// Files whose current version is known; what is read at one time is far less.
constexpr std::size_t kBound = 20'000;
constexpr std::size_t kSmall = 20'000;

// Ids are GUIDs (wire.cc lets nothing else through); other text makes some key or other.
KnownObjects::Key key_of(const std::string& id) {
  KnownObjects::Key key;
  for (const char c : id) {
    std::uint64_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<std::uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<std::uint64_t>(c - 'a' + 10);
    } else {
      continue;
    }
    key.high = key.high << 4 | key.low >> 60;
    key.low = key.low << 4 | digit;
  }
  return key;
}

std::string id_of(const KnownObjects::Key& key) {
  static constexpr const char* kDigits = "0123456789abcdef";
  std::string id;
  id.reserve(36);
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) id += '-';
    const std::uint64_t half = i < 16 ? key.high : key.low;
    id += kDigits[half >> (60 - 4 * (i % 16)) & 15];
  }
  return id;
}

template <class Map>
void bound_size(Map& map, std::size_t limit) {
  if (map.size() > limit) map.erase(map.begin());
}

}  // namespace

Validator make_validator(const RemoteEntry& entry) {
  return Validator{
      fmt::format("{}-{}", entry.modified.time_since_epoch().count() / 100, entry.size)};
}

Validator validator_of(const VersionId& version) { return Validator{"v" + version.value}; }

std::uint64_t mark_of(const Validator& validator) {
  return std::hash<std::string>()(validator.value) | 1;
}

void KnownObjects::remember(const RemoteId& id, const Object& object) {
  const Key key = key_of(id.value);
  MutexLock lock(mutex_);
  const Compact compact{key_of(object.parent.value), object.mark, object.vault, object.external};
  const auto [at, added] = objects_.insert_or_assign(key, compact);
  if (!added) return;
  order_.push_back(key);
  if (order_.size() > kObjects) drop_oldest_locked();
}

void KnownObjects::drop_oldest_locked() {
  const Key oldest = order_.front();
  order_.pop_front();
  objects_.erase(oldest);
}

std::optional<KnownObjects::Object> KnownObjects::find(const RemoteId& id) const {
  MutexLock lock(mutex_);
  const auto found = objects_.find(key_of(id.value));
  if (found == objects_.end()) return std::nullopt;
  const Compact& compact = found->second;
  return Object{RemoteId{id_of(compact.parent)}, compact.mark, compact.vault, compact.external};
}

void KnownObjects::forget(const RemoteId& id) {
  const Key key = key_of(id.value);
  MutexLock lock(mutex_);
  objects_.erase(key);
  bound_.erase(bound_.lower_bound({key, 0}), bound_.upper_bound({key, UINT64_MAX}));
  ours_.erase(key);
  external_tokens_.erase(key);
}

void KnownObjects::bind(const RemoteId& file, std::uint64_t mark, const Held& held) {
  const Key key = key_of(file.value);
  MutexLock lock(mutex_);
  const auto known = objects_.find(key);
  if (known == objects_.end() || mark == 0 || known->second.mark != mark) return;
  bound_.insert_or_assign({key, mark}, held);
  bound_size(bound_, kBound);
}

void KnownObjects::unbind(const RemoteId& file, std::uint64_t mark) {
  MutexLock lock(mutex_);
  bound_.erase({key_of(file.value), mark});
}

std::optional<KnownObjects::Held> KnownObjects::held(const RemoteId& file,
                                                     std::uint64_t mark) const {
  MutexLock lock(mutex_);
  const auto found = bound_.find({key_of(file.value), mark});
  return found == bound_.end() ? std::nullopt : std::optional(found->second);
}

void KnownObjects::removed(const RemoteId& id, SteadyTime until) {
  MutexLock lock(mutex_);
  removed_.insert_or_assign(key_of(id.value), until);
  bound_size(removed_, kSmall);
}

bool KnownObjects::lingers(const RemoteId& id, SteadyTime now) {
  MutexLock lock(mutex_);
  const auto found = removed_.find(key_of(id.value));
  if (found == removed_.end()) return false;
  if (now < found->second) return true;
  removed_.erase(found);
  return false;
}

void KnownObjects::set_ours(const RemoteId& file, const std::string& holder) {
  MutexLock lock(mutex_);
  ours_.insert_or_assign(key_of(file.value), holder);
  bound_size(ours_, kSmall);
}

void KnownObjects::set_not_ours(const RemoteId& file) {
  MutexLock lock(mutex_);
  ours_.erase(key_of(file.value));
}

bool KnownObjects::is_ours(const RemoteId& file, const std::string& holder) {
  MutexLock lock(mutex_);
  const auto found = ours_.find(key_of(file.value));
  if (found == ours_.end()) return false;
  if (found->second == holder) return true;
  ours_.erase(found);
  return false;
}

void KnownObjects::set_external_token(const RemoteId& id, const std::string& token) {
  const Key key = key_of(id.value);
  MutexLock lock(mutex_);
  if (token.empty()) {
    external_tokens_.erase(key);
    return;
  }
  external_tokens_.insert_or_assign(key, token);
  bound_size(external_tokens_, kSmall);
}

std::string KnownObjects::external_token(const RemoteId& id) const {
  MutexLock lock(mutex_);
  const auto found = external_tokens_.find(key_of(id.value));
  return found == external_tokens_.end() ? std::string() : found->second;
}

}  // namespace cabinetfs::kenesto
