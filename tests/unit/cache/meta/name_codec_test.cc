#include "cache/name_codec.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>
#include <set>

namespace cabinetfs {
namespace {

using std::string;

NameRules strict_rules() {
  NameRules rules;
  rules.case_sensitive = false;
  rules.forbidden = "\\:*\"<>|?";
  rules.control_forbidden = rules.leading_dot_forbidden = true;
  rules.trailing_dot_forbidden = rules.trailing_space_forbidden = true;
  return rules;
}
NameCodec strict() { return {strict_rules(), NamePolicy::kEncode}; }
string remote(const string& local) { return strict().to_remote(local).value_or("ERROR"); }
string local(const string& name) { return strict().to_local(name, RemoteId{"id"}); }

TEST(NameCodec, EscapesOnlyWhatTheServerRefuses) {
  EXPECT_EQ(remote("report.docx"), "report.docx");
  EXPECT_EQ(remote("grüße 日本.txt"), "grüße 日本.txt");
  EXPECT_EQ(remote("a:b?c"), "a%3Ab%3Fc");
  EXPECT_EQ(remote("tab\there"), "tab%09here");
  EXPECT_EQ(remote(".git"), "%2Egit");
  EXPECT_EQ(remote("a.b."), "a.b%2E");
  EXPECT_EQ(remote("a  "), "a %20");
  EXPECT_EQ(remote("..."), "%2E.%2E");
  EXPECT_EQ(remote("latin\xe9"), "latin%E9");
  const NameCodec lax({}, NamePolicy::kEncode);
  EXPECT_EQ(lax.to_remote(".a:b. ").value(), ".a:b. ");
}

TEST(NameCodec, EscapesALeadingBlankWhereTheServerTakesNone) {
  NameRules rules;
  EXPECT_EQ(NameCodec(rules, NamePolicy::kEncode).to_remote(" a").value(), " a");
  rules.leading_space_forbidden = true;
  const NameCodec codec(rules, NamePolicy::kEncode);
  EXPECT_EQ(codec.to_remote(" a b ").value(), "%20a b ");
  EXPECT_EQ(codec.to_remote("  ").value(), "%20 ");
  EXPECT_EQ(codec.to_remote("%20a").value(), "%2520a");
  EXPECT_EQ(codec.to_local("%20a b ", RemoteId{"id"}), " a b ");
  EXPECT_EQ(codec.to_local("a%20b", RemoteId{"id"}), "a%20b");
  EXPECT_EQ(NameCodec(rules, NamePolicy::kRefuse).to_remote(" a").error().code,
            ErrorCode::kInvalid);
}

TEST(NameCodec, EscapesAPercentOnlyWhereItWouldMislead) {
  EXPECT_EQ(remote("100%"), "100%");
  EXPECT_EQ(remote("100% sure"), "100% sure");
  EXPECT_EQ(remote("50%20off"), "50%20off") << "a space is no escape inside a name";
  EXPECT_EQ(remote("a%3A"), "a%253A");
  EXPECT_EQ(remote("a%3a"), "a%3a") << "our escapes are upper-case";
  EXPECT_EQ(remote("a%253A"), "a%25253A");
  EXPECT_EQ(remote("%25"), "%25");
  EXPECT_EQ(remote("a%41"), "a%41");
}

TEST(NameCodec, ShowsServerNamesAsTheyAreWhereTheyCan) {
  EXPECT_EQ(local("a%3Ab"), "a:b");
  EXPECT_EQ(local("50%20off"), "50%20off");
  EXPECT_EQ(local("%25"), "%25");
  EXPECT_EQ(local("a/b"), "a%2Fb");
  EXPECT_EQ(local(string("a\0b", 3)), "a%00b");
  EXPECT_EQ(local("."), "%2E");
  EXPECT_EQ(local(".."), "%2E%2E");
  EXPECT_EQ(local("%2E"), "%2E");
  EXPECT_EQ(local("%2E%2E"), "%2E%2E");
  EXPECT_EQ(local("../../etc/passwd"), "..%2F..%2Fetc%2Fpasswd");
  EXPECT_FALSE(local("").empty());
  EXPECT_EQ(local("latin\xe9"), "latin\xe9");
}

TEST(NameCodec, RefusesWhatIsNoName) {
  for (const string& name : {string(), string("."), string(".."), string("a/b"), string("a\0", 2)})
    EXPECT_EQ(strict().to_remote(name).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(strict().to_remote(string(256, 'a')).error().code, ErrorCode::kNameTooLong);
}

TEST(NameCodec, CountsTheServersCharacters) {
  NameRules rules = strict_rules();
  rules.max_characters = 10;
  const NameCodec codec(rules, NamePolicy::kEncode);
  EXPECT_TRUE(codec.to_remote("ääääääääää"));
  EXPECT_EQ(codec.to_remote("äääääääääää").error().code, ErrorCode::kNameTooLong);
  EXPECT_EQ(codec.to_remote("aaaaaaaa:b").error().code, ErrorCode::kNameTooLong)
      << "escapes count as what they are there";
}

TEST(NameCodec, PolicyRefuseEscapesNothing) {
  const NameCodec codec(strict_rules(), NamePolicy::kRefuse);
  for (const char* name : {"a:b", ".git", "a.", "a ", "x\x01", "latin\xe9"})
    EXPECT_EQ(codec.to_remote(name).error().code, ErrorCode::kInvalid) << name;
  EXPECT_EQ(codec.to_remote("a%3A").value(), "a%3A");
  EXPECT_EQ(codec.to_local("a%3A", RemoteId{"1"}), "a%3A");
  NameRules no_percent;
  no_percent.forbidden = "%:";
  EXPECT_EQ(NameCodec(no_percent, NamePolicy::kEncode).to_remote("a:").error().code,
            ErrorCode::kInvalid);
}

TEST(NameCodec, CutsLongNamesAtACharacterBeforeTheExtension) {
  string name;
  while (name.size() < 300) name += "ü";
  const string shown = local(name + ".docx");
  EXPECT_LE(shown.size(), 255u);
  EXPECT_GE(shown.size(), 254u);
  EXPECT_TRUE(is_valid_utf8(shown));
  EXPECT_EQ(shown.substr(shown.size() - 5), ".docx");
  EXPECT_EQ(shown[shown.size() - 14], '~');
  EXPECT_NE(shown, strict().to_local(name + ".docx", RemoteId{"another"}));
  EXPECT_EQ(shown, local(name + ".docx"));
  EXPECT_EQ(local(string(255, 'x')), string(255, 'x'));
}

TEST(NameCodec, TwinsDependOnTheIdOnly) {
  const NameCodec codec = strict();
  const string one = codec.twin_name("a.txt", RemoteId{"1"});
  EXPECT_EQ(one, codec.twin_name("a.txt", RemoteId{"1"}));
  EXPECT_NE(one, codec.twin_name("a.txt", RemoteId{"2"}));
  EXPECT_EQ(one, "a~90f599e3.txt") << "stored names of earlier mounts depend on it";
  EXPECT_EQ(codec.twin_name(".profile", RemoteId{"1"}), ".profile~90f599e3");
}

TEST(NameCodec, NamesConflictCopies) {
  const WallTime time(std::chrono::seconds(1769028222));
  EXPECT_EQ(NameCodec::conflict_name("plan.docx", "desk", time, 1),
            "plan (conflict desk 2026-01-21 20.43.42).docx");
  EXPECT_EQ(NameCodec::conflict_name("plan", "a/b:c", time, 3),
            "plan (conflict a-b-c 2026-01-21 20.43.42 3)");
  const string longest =
      NameCodec::conflict_name(string(255, 'n'), string(300, 'h'), time, 1'000'000);
  EXPECT_EQ(longest.size(), 255u);
}

TEST(NameCodec, ComparesAsTheServerDoes) {
  EXPECT_TRUE(strict().same("Straße.TXT", "STRASSE.txt") || strict().same("Bär", "bÄR"));
  EXPECT_FALSE(strict().same("a", "b"));
  const NameCodec exact({}, NamePolicy::kEncode);
  EXPECT_TRUE(exact.same("a", "a"));
  EXPECT_FALSE(exact.same("a", "A"));
}

// Names that are rich in what matters: escapes, dots, blanks, broken UTF-8.
rc::Gen<string> nasty_name() {
  const auto piece = rc::gen::element<string>(
      "a", "B", "%", "%2", "%25", "%2E", "%20", "%3A", "%3a", "%2F", "%00", "%C3", "%A9", ":", "?",
      ".", " ", "\t", "é", "日", "\xe9", "\xf0\x9f", "\x80", "3A", "25", "~", "\x7f", "%252E");
  return rc::gen::map(rc::gen::container<std::vector<string>>(piece),
                      [](const std::vector<string>& pieces) {
                        string name;
                        for (const string& part : pieces) name += part;
                        return name.substr(0, 255);
                      });
}

NameRules some_rules(unsigned bits) {
  NameRules rules;
  if ((bits & 1) != 0) rules.forbidden = "\\:*\"<>|?";
  rules.control_forbidden = (bits & 2) != 0;
  rules.leading_dot_forbidden = (bits & 4) != 0;
  rules.trailing_dot_forbidden = (bits & 8) != 0;
  rules.trailing_space_forbidden = (bits & 16) != 0;
  rules.leading_space_forbidden = (bits & 32) != 0;
  rules.max_characters = 10'000;
  return rules;
}

template <class Property>
void check(const char* what, Property property) {
  EXPECT_TRUE(rc::check(what, property)) << what;
}

TEST(NameCodec, LocalToServerToLocalIsTheIdentity) {
  check("identity, and the server takes it", [] {
    const string name = *nasty_name();
    const NameRules rules = some_rules(*rc::gen::inRange(0u, 64u));
    RC_PRE(!name.empty() && name != "." && name != "..");
    const NameCodec codec(rules, NamePolicy::kEncode);
    const auto there = codec.to_remote(name);
    RC_ASSERT(there.has_value());
    RC_ASSERT(codec.to_local(*there, RemoteId{"x"}) == name);
    RC_ASSERT(is_valid_utf8(*there));
    RC_ASSERT(there->find_first_of(rules.forbidden) == string::npos);
    RC_ASSERT(!(rules.leading_dot_forbidden && there->front() == '.'));
    RC_ASSERT(!(rules.trailing_dot_forbidden && there->back() == '.'));
    RC_ASSERT(!(rules.trailing_space_forbidden && there->back() == ' '));
    RC_ASSERT(!(rules.leading_space_forbidden && there->front() == ' '));
    for (const char c : *there)
      RC_ASSERT(!rules.control_forbidden || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
  });
}

TEST(NameCodec, WhateverTheServerSendsIsShownAsAName) {
  check("bounds", [] {
    const string name = *rc::gen::oneOf(rc::gen::arbitrary<string>(), nasty_name());
    const int times = *rc::gen::inRange(1, 40);
    string long_name;
    for (int i = 0; i < times; ++i) long_name += name;
    const NameCodec codec(some_rules(*rc::gen::inRange(0u, 64u)), NamePolicy::kEncode);
    const string shown = codec.to_local(long_name, RemoteId{"y"});
    for (const string& candidate : {shown, codec.twin_name(shown, RemoteId{"z"})}) {
      RC_ASSERT(!candidate.empty() && candidate.size() <= 255);
      RC_ASSERT(candidate != "." && candidate != "..");
      RC_ASSERT(candidate.find('/') == string::npos && candidate.find('\0') == string::npos);
      RC_ASSERT(is_valid_utf8(candidate) || !is_valid_utf8(shown) || !is_valid_utf8(long_name) ||
                long_name.find('%') != string::npos);
    }
  });
}

TEST(NameCodec, DifferentLocalNamesStayDifferent) {
  check("injective", [] {
    const string a = *nasty_name();
    const string b = *nasty_name();
    RC_PRE(!a.empty() && !b.empty() && a != b);
    const auto x = strict().to_remote(a);
    const auto y = strict().to_remote(b);
    RC_PRE(x.has_value() && y.has_value());
    RC_ASSERT(*x != *y);
  });
}

}  // namespace
}  // namespace cabinetfs
