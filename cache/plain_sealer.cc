#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "cache/crc32c.h"
#include "cache/keyed_hash.h"
#include "cache/sealer.h"

namespace cabinetfs {
namespace {

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
// Fills the tag beyond the four bytes of the sum, so that sealed bytes never pass for plain ones.
constexpr std::string_view kMark = "cabinet-open";
static_assert(kMark.size() == kTagBytes - sizeof(std::uint32_t));

// `cache_encryption = false`: finds damage and misplaced blocks, hides nothing. The hashes are
// under a key that is no secret.
class PlainSealer final : public Sealer {
 public:
  PlainSealer() : names_(Key{}) {}

  void seal(Bytes aad, Bytes in, MutableBytes out) const override {
    if (out.size() != in.size() + kOverhead) throw std::logic_error("seal: wrong buffer size");
    std::fill_n(out.begin(), kNonceBytes, std::byte{0});
    std::copy(in.begin(), in.end(), out.begin() + kNonceBytes);
    const auto tag = tag_of(aad, in);
    std::copy(tag.begin(), tag.end(), out.end() - kTagBytes);
  }

  Result<void> open(Bytes aad, Bytes in, MutableBytes out) const override {
    if (in.size() < kOverhead || out.size() != in.size() - kOverhead)
      return fail(ErrorCode::kCorrupt, fmt::format("stored bytes: {} is too short", in.size()));
    const Bytes content = in.subspan(kNonceBytes, out.size());
    const auto tag = tag_of(aad, content);
    if (!std::equal(tag.begin(), tag.end(), in.end() - kTagBytes))
      return fail(ErrorCode::kCorrupt, "stored bytes do not match their checksum");
    std::copy(content.begin(), content.end(), out.begin());
    return {};
  }

  NameKey name_key(std::string_view domain, std::string_view value) const override {
    return names_.name_key(domain, value);
  }

 private:
  static std::array<std::byte, kTagBytes> tag_of(Bytes aad, Bytes in) {
    // The length first: bytes cannot wander between the two parts.
    const std::uint64_t length = aad.size();
    const std::uint32_t sum = crc32c(in, crc32c(aad, crc32c(std::as_bytes(std::span(&length, 1)))));
    std::array<std::byte, kTagBytes> tag;
    for (std::size_t i = 0; i < sizeof(sum); ++i)
      tag[i] = static_cast<std::byte>((sum >> (8 * i)) & 255);
    std::memcpy(tag.data() + sizeof(sum), kMark.data(), kMark.size());
    return tag;
  }

  KeyedHash names_;
};

}  // namespace

std::unique_ptr<Sealer> Sealer::plain() { return std::make_unique<PlainSealer>(); }

}  // namespace cabinetfs
