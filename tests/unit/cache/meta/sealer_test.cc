#include "cache/sealer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <set>
#include <thread>

#include "cache/crc32c.h"

namespace cabinetfs {
namespace {

Sealer::Key test_key(unsigned char seed) {
  Sealer::Key key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(seed + i);
  return key;
}

using MakeSealer = std::unique_ptr<Sealer> (*)();
class EverySealer : public ::testing::TestWithParam<MakeSealer> {
 protected:
  std::unique_ptr<Sealer> sealer_ = GetParam()();
};

TEST_P(EverySealer, OpensWhatItSealed) {
  for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 1000u, 65536u, 65537u}) {
    const std::string text(size, 'q');
    const std::string sealed = sealer_->seal_text("node:7", text);
    EXPECT_EQ(sealed.size(), size + Sealer::kOverhead);
    EXPECT_EQ(sealer_->open_text("node:7", sealed).value(), text);
  }
}

TEST_P(EverySealer, RefusesAnyChangedBit) {
  const std::string sealed = sealer_->seal_text("aad", "some content");
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    // The plain form has no use for its nonce bytes.
    const bool ignored = bit / 8 < 12 && sealed.find("some content") == 12;
    EXPECT_EQ(sealer_->open_text("aad", changed).has_value(), ignored) << bit;
  }
}

TEST_P(EverySealer, RefusesAnotherPlaceAndCutBytes) {
  const std::string sealed = sealer_->seal_text("block:1", "content");
  EXPECT_EQ(sealer_->open_text("block:2", sealed).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(sealer_->open_text("", sealed).error().code, ErrorCode::kCorrupt);
  for (std::size_t size = 0; size < sealed.size(); ++size)
    EXPECT_EQ(sealer_->open_text("block:1", sealed.substr(0, size)).error().code,
              ErrorCode::kCorrupt);
}

TEST_P(EverySealer, NameKeysDependOnDomainAndValue) {
  std::set<Sealer::NameKey> keys;
  for (const auto& [domain, value] :
       std::initializer_list<std::pair<const char*, const char*>>{{"name", "a"},
                                                                  {"name", "b"},
                                                                  {"fold", "a"},
                                                                  {"nam", "ea"},
                                                                  {"namea", ""},
                                                                  {"", "namea"}})
    keys.insert(sealer_->name_key(domain, value));
  EXPECT_EQ(keys.size(), 6u);
  EXPECT_EQ(sealer_->name_key("name", "a"), GetParam()()->name_key("name", "a"));
}

TEST_P(EverySealer, ManyThreadsShareOne) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 20; ++t) {
    threads.emplace_back([this, t, &wrong] {
      const std::string aad = "thread:" + std::to_string(t);
      for (int i = 0; i < 200; ++i) {
        const std::string text(static_cast<std::size_t>(i * 7), static_cast<char>('a' + t));
        const auto opened = sealer_->open_text(aad, sealer_->seal_text(aad, text));
        if (!opened || *opened != text) ++wrong;
        if (sealer_->name_key("n", aad) != sealer_->name_key("n", aad)) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(EverySealer, ReportsItsSpeed) {
  const std::string block(64 << 10, 'b');
  std::string sealed = sealer_->seal_text("a", block);
  const auto out = std::as_writable_bytes(std::span(sealed.data(), sealed.size()));
  constexpr int kRounds = 200;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) sealer_->seal(as_bytes("a"), as_bytes(block), out);
  const auto seal_time = std::chrono::steady_clock::now() - start;
  const auto middle = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) (void)sealer_->name_key("name", "report.docx");
  const auto hash_time = std::chrono::steady_clock::now() - middle;
  const auto ns = [](auto span) { return static_cast<double>(span.count()) / kRounds; };
  std::printf("seal 64 KiB: %.1f us (%.2f GB/s), name_key: %.2f us\n", ns(seal_time) / 1e3,
              65536 / ns(seal_time), ns(hash_time) / 1e3);
  EXPECT_EQ(sealer_->open_text("a", sealed).value(), block);
}

INSTANTIATE_TEST_SUITE_P(Sealer, EverySealer,
                         ::testing::Values(MakeSealer([] { return Sealer::aes_gcm(test_key(1)); }),
                                           MakeSealer([] { return Sealer::plain(); })));

TEST(AesGcmSealer, ShowsNothingAndNeverTheSameTwice) {
  const auto sealer = Sealer::aes_gcm(test_key(1));
  const std::string text = "a name that must not be seen";
  const std::string one = sealer->seal_text("x", text);
  EXPECT_EQ(one.find("name"), std::string::npos);
  EXPECT_NE(one, sealer->seal_text("x", text));
}

TEST(AesGcmSealer, AnotherKeyOpensNothing) {
  const auto one = Sealer::aes_gcm(test_key(1));
  const auto two = Sealer::aes_gcm(test_key(2));
  EXPECT_EQ(two->open_text("x", one->seal_text("x", "text")).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(one->open_text("x", Sealer::plain()->seal_text("x", "t")).error().code,
            ErrorCode::kCorrupt);
  EXPECT_EQ(Sealer::plain()->open_text("x", one->seal_text("x", "t")).error().code,
            ErrorCode::kCorrupt);
  EXPECT_NE(one->name_key("n", "a"), two->name_key("n", "a"));
}

// A format is a promise: bytes sealed by an earlier build open in this one.
TEST(AesGcmSealer, OpensKnownBytes) {
  const auto sealer = Sealer::aes_gcm(test_key(1));
  const auto key = sealer->name_key("name", "report.docx");
  EXPECT_EQ(to_hex(key), "4cb0ddbfe4d1b17f9fba13f4d95832e4");
  const auto sealed =
      from_hex("3a97d8add4cc89cfabb800c26b85c9bd255488a7a54353ba8a2986202bbcec870c");
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealer->open_text("node:1", as_text(*sealed)).value(), "hello");
}

TEST(Crc32c, MatchesTheStandardAndItself) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);  // RFC 3720 appendix B.4 polynomial
  EXPECT_EQ(crc32c(as_bytes(std::string(32, '\0'))), 0x8a9136aau);
  EXPECT_EQ(crc32c(as_bytes(std::string(32, '\xff'))), 0x62a8ab43u);
  std::string text;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(crc32c(as_bytes(text)), internal::crc32c_portable(as_bytes(text), 0));
    const std::size_t cut = text.size() / 3;
    EXPECT_EQ(crc32c(as_bytes(text).subspan(cut), crc32c(as_bytes(text).first(cut))),
              crc32c(as_bytes(text)));
    text += static_cast<char>(i * 37);
  }
}

}  // namespace
}  // namespace cabinetfs
