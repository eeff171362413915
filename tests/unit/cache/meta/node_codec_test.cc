#include "cache/node_codec.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

#include "cache/tlv.h"
#include "tests/unit/cache/meta/nodes.h"

namespace cabinetfs {
namespace {

using std::string;

template <class T>
T any() {
  return *rc::gen::arbitrary<T>();
}
bool often() { return *rc::gen::inRange(0, 3) != 0; }
string text() { return often() ? any<string>() : string(); }
std::uint64_t number() {
  return often() ? *rc::gen::inRange<std::uint64_t>(0, 5000) : any<std::uint64_t>();
}
WallTime time() {
  return often() ? WallTime(std::chrono::nanoseconds(any<std::int64_t>())) : WallTime{};
}
template <class Enum>
Enum one_of(Enum last) {
  return static_cast<Enum>(*rc::gen::inRange(0, static_cast<int>(last) + 1));
}
string hash(std::size_t digits) {
  switch (*rc::gen::inRange(0, 4)) {
    case 0:
      return "";
    case 1:
      return text();  // not what it should be, and kept all the same
    case 2:
      return "ABCDEF";  // hex, but not as we write it
    default: {
      string out;
      for (std::size_t i = 0; i < digits; ++i) out += "0123456789abcdef"[*rc::gen::inRange(0, 16)];
      return out;
    }
  }
}

RemoteEntry any_entry() {
  RemoteEntry entry;
  entry.id.value = text();
  entry.parent.value = text();
  entry.name = text();
  entry.kind = one_of(NodeKind::kFolder);
  entry.size = number();
  entry.modified = time();
  entry.changed = time();
  entry.created = time();
  entry.validator.value = text();
  if (often()) entry.rights = Rights(any<std::uint16_t>());
  entry.hashes = {hash(32), hash(64)};
  entry.scan = one_of(ScanState::kRefused);
  entry.lock = one_of(LockState::kHeldByOther);
  entry.lock_holder = text();
  entry.version_count = any<std::uint32_t>();
  entry.system = any<bool>();
  entry.lock_to_write = any<bool>();
  entry.mime = text();
  entry.creator = text();
  entry.modifier = text();
  entry.description = text();
  entry.tags = any<std::vector<string>>();
  if (often()) entry.expires = time();
  entry.link = text();
  return entry;
}

Intent any_intent() {
  Intent intent;
  intent.kind = one_of(Intent::Kind::kRemove);
  intent.generation = number();
  intent.before.value = text();
  intent.versions_before = any<std::uint32_t>();
  intent.size = number();
  intent.md5 = hash(32);
  intent.modified = time();
  intent.folder.value = number();
  intent.name = text();
  if (often())
    intent.session = UploadSession{text(),   text(),   number(),
                                   number(), number(), {{text()}, {text()}, text(), time()}};
  return intent;
}

NodeRecord any_node() {
  NodeRecord node;
  node.ino.value = number();
  node.kind = one_of(NodeKind::kFolder);
  if (often()) node.remote = any_entry();
  node.remote_parent.value = number();
  node.parent.value = number();
  // What is the same as the server's takes another way than what is not.
  const bool same = node.remote && any<bool>();
  node.name = same ? node.remote->name : text();
  node.size = same ? node.remote->size : number();
  node.mtime = same ? node.remote->modified : time();
  node.atime = any<bool>() ? node.mtime : time();
  node.ctime = any<bool>() ? node.mtime : time();
  node.btime = time();
  if (often()) node.mode = any<std::uint32_t>();
  node.times_local = any<bool>();
  node.xattrs = any<std::map<string, string>>();
  if (often()) node.description = text();
  node.deleted = any<bool>();
  node.content_dirty = any<bool>();
  node.generation = number();
  node.uploaded_generation = number();
  node.staged = text();
  if (often()) node.base = ContentKey{{text()}, {text()}, {text()}, number(), {hash(32), hash(64)}};
  node.base_validator.value = text();
  if (often()) node.base_modified = time();
  if (often()) node.base_version = any<std::uint32_t>();
  node.upload_soon = any<bool>();
  node.changed_at = time();
  node.intent = any_intent();
  if (often())
    node.failure = Failure{
        one_of(ErrorCode::kInternal), text(), any<std::uint32_t>(), time(), time(), any<bool>()};
  node.conflict = text();
  node.listed_at = time();
  node.listed = any<bool>();
  node.pin = one_of(PinState::kUnpinned);
  node.sync = one_of(SyncMode::kRemote);
  if (often()) node.lock_taken = any<bool>();
  node.renamed = any<bool>();
  return node;
}

TEST(NodeCodec, EveryFieldComesBack) {
  EXPECT_TRUE(rc::check("round trip", [] {
    const NodeRecord node = any_node();
    const auto back = decode_node(encode_node(node));
    RC_ASSERT(back.has_value());
    expect_same(*back, node);
    RC_ASSERT(!::testing::Test::HasFailure());
  }));
}

TEST(NodeCodec, DefaultsComeBack) {
  expect_same(decode_node(encode_node(NodeRecord{})).value(), NodeRecord{});
  NodeRecord node;
  node.remote = RemoteEntry{};
  node.remote->name = "there";
  node.remote->size = 5;
  node.remote->modified = WallTime(std::chrono::seconds(1));
  // Shown as nothing at all, which is not what the server has.
  expect_same(decode_node(encode_node(node)).value(), node);
}

TEST(NodeCodec, UsualRecordIsSmall) {
  const string bytes = encode_node(clean_node(123'456, 4711, "Quarterly figures 2026.xlsx"));
  std::printf("a usual record: %zu bytes\n", bytes.size());
  EXPECT_LT(bytes.size(), 300u);
}

TEST(NodeCodec, CutRecordsAreCorruptOrShorter) {
  const string bytes = encode_node(clean_node(9, 1, "name"));
  EXPECT_EQ(decode_node("").error().code, ErrorCode::kCorrupt);
  std::size_t refused = 0;
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    const auto node = decode_node(bytes.substr(0, size));
    if (node) continue;  // cut between two fields
    EXPECT_EQ(node.error().code, ErrorCode::kCorrupt);
    ++refused;
  }
  EXPECT_GT(refused, bytes.size() / 2);
}

TEST(NodeCodec, TakesAnyBytes) {
  EXPECT_TRUE(rc::check("arbitrary bytes", [] {
    const auto node = decode_node("\x01" + any<string>());
    if (!node) RC_ASSERT(node.error().code == ErrorCode::kCorrupt);
  }));
  EXPECT_TRUE(rc::check("one byte changed", [] {
    string bytes = encode_node(any_node());
    bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] = any<char>();
    const auto node = decode_node(bytes);
    if (!node) RC_ASSERT(node.error().code == ErrorCode::kCorrupt);
  }));
}

TEST(NodeCodec, SkipsFieldsOfLaterVersions) {
  const NodeRecord node = clean_node(9, 1, "name");
  TlvWriter later;
  later.number(900, 5);
  later.fixed(901, -1);
  later.bytes(902, "new");
  expect_same(decode_node(encode_node(node) + later.text()).value(), node);
  // Inside a nested record too.
  TlvWriter failure;
  failure.number(1, 3);
  failure.bytes(77, "new");
  TlvWriter outer;
  outer.bytes(23, failure.text());
  EXPECT_EQ(decode_node("\x01" + outer.text())->failure->code, static_cast<ErrorCode>(3));
}

TEST(NodeCodec, RefusesValuesThatTheirFieldsCannotHold) {
  const auto decode = [](std::uint32_t field, std::uint64_t value) {
    TlvWriter out;
    out.number(field, value);
    return decode_node("\x01" + out.text());
  };
  EXPECT_TRUE(decode(2, 1));
  EXPECT_FALSE(decode(2, 2)) << "no such kind";
  EXPECT_FALSE(decode(26, 3)) << "no such pin state";
  EXPECT_FALSE(decode(12, 1ull << 32)) << "mode";
  EXPECT_FALSE(decode(6, 1)) << "a name is no number";
  EXPECT_FALSE(decode_node("\x02"));
}

// A format is a promise: records of earlier builds read in this one.
TEST(NodeCodec, ReadsAKnownRecord) {
  const NodeRecord node = clean_node(300, 1, "a.txt");
  EXPECT_EQ(to_hex(as_bytes(encode_node(node))),
            "0104ac020ecd01061537623063326631652d3030303030303030303330300a15376230633266"
            "31652d3030303030303030303030310e05612e74787414e56219006cf391cbd98c181d00cac3"
            "44ccd98c1821006c556fa23c8c18260e3330302d3137363930323832323228ff032e105d4140"
            "2abc4b2a76b9719d911017c59236203338be694f50c5f338814986cdf0686453a888b84f424d"
            "792af4b9202398f3923c01480352186170706c69636174696f6e2f6f637465742d7374726561"
            "6d5613736f6d656f6e65406578616d706c652e636f6d100114012d006c556fa23c8c18");
}

TEST(Tlv, RefusesVarintsThatDoNotFit) {
  const auto read = [](string bytes) {
    TlvReader in(bytes);
    while (in.next()) {
    }
    return !in.failed();
  };
  EXPECT_TRUE(read(string("\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11)));
  EXPECT_FALSE(read(string("\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11)));
  EXPECT_FALSE(read(string("\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12)));
  EXPECT_FALSE(read("\x04"));
  EXPECT_FALSE(read("\x07"));          // no such shape
  EXPECT_FALSE(read("\x05zzzzzzz"));   // seven of eight bytes
  EXPECT_FALSE(read("\x06\x05zzzz"));  // four of five
}

}  // namespace
}  // namespace cabinetfs
