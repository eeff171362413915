#include "backend/kenesto/quirks.h"

#include <gtest/gtest.h>

#include "backend/kenesto/api.h"

namespace cabinetfs::kenesto {
namespace {

TEST(KenestoQuirks, WordsBecomeErrors) {
  const auto code = [](const char* words) {
    return error_code(words, 200, ErrorCode::kUnavailable);
  };
  EXPECT_EQ(code("VAL10357: Folder name is taken"), ErrorCode::kExists);
  EXPECT_EQ(code("A document of that name already exists"), ErrorCode::kExists);
  EXPECT_EQ(code("The file is Checked Out by Joe"), ErrorCode::kBusy);
  EXPECT_EQ(code("Object not found"), ErrorCode::kNotFound);
  EXPECT_EQ(code("ACCESS_DENIED"), ErrorCode::kDenied);
  EXPECT_EQ(code("You do not have permission"), ErrorCode::kDenied);
  EXPECT_EQ(code("Storage limit reached"), ErrorCode::kOverQuota);
  EXPECT_EQ(code("Object reference not set to an instance of an object"), ErrorCode::kUnavailable);
  EXPECT_EQ(error_code("boom", 200, ErrorCode::kDenied), ErrorCode::kDenied);
  EXPECT_EQ(error_code("boom", 500, ErrorCode::kDenied), ErrorCode::kUnavailable);
  EXPECT_EQ(error_code("VAL10357", 500, ErrorCode::kDenied), ErrorCode::kExists);
}

TEST(KenestoQuirks, CodesAreFoundInProse) {
  EXPECT_EQ(code_in("error VAL10357, sorry"), "VAL10357");
  EXPECT_EQ(code_in("ACCESS_DENIED"), "ACCESS_DENIED");
  EXPECT_EQ(code_in("VALUE is odd"), "");
  EXPECT_EQ(code_in(""), "");
}

TEST(KenestoQuirks, NamesThatWouldMakeFoldersOrFailAreRefused) {
  for (const char* const good : {"a", ".profile", "a b", "100%", "ünï", "a+b&c=d#e", "a.b.c"}) {
    EXPECT_TRUE(check_name(good)) << good;
  }
  for (const char* const bad : {"", ".", "..", "a\\b", "a/b", "a;b", "a:b", "a\"b", "a|b", "a?b",
                                "a*b", "a<b", "a>b", " a", "a ", "a.", "a\nb", "a\x7f", "\xff"}) {
    const auto checked = check_name(bad);
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalid) << bad;
  }
  EXPECT_TRUE(check_name(std::string(200, 'a')));
  EXPECT_EQ(check_name(std::string(201, 'a')).error().code, ErrorCode::kNameTooLong);
}

// Whoever encodes names by the rules sends none that is refused afterwards.
TEST(KenestoQuirks, TheRulesNameAllThatIsRefused) {
  const NameRules rules = name_rules();
  EXPECT_TRUE(rules.leading_space_forbidden && !check_name(" a"));
  EXPECT_TRUE(rules.trailing_space_forbidden && !check_name("a "));
  EXPECT_TRUE(rules.trailing_dot_forbidden && !check_name("a."));
  EXPECT_TRUE(rules.control_forbidden && !check_name("a\nb"));
}

TEST(KenestoApi, TheAddressMayHaveItsOwnPath) {
  EXPECT_EQ(*service_base("https://app.kenesto.com"), "https://app.kenesto.com/Kenesto.Web.API");
  EXPECT_EQ(*service_base("https://app.kenesto.com/"), "https://app.kenesto.com/Kenesto.Web.API");
  EXPECT_EQ(*service_base("https://x.example.com:8443/kenesto.web.api/"),
            "https://x.example.com:8443/kenesto.web.api");
  for (const char* const bad :
       {"", "app.kenesto.com", "ftp://x", "https://x/?t=1", "https://u@x"}) {
    EXPECT_FALSE(service_base(bad)) << bad;
  }
}

TEST(KenestoApi, WordsAreShownWithoutSecrets) {
  const std::string token = "a+b/c==";
  const std::string encoded = "a%2Bb%2Fc%3D%3D";
  const std::string shown =
      printable("bad a+b/c== or " + encoded + " or " + to_base64(as_bytes(encoded)) +
                    " see\nhttp://x/?t=zzz9 and token=yyy8",
                {token, ""});
  for (const std::string& secret :
       {token, encoded, to_base64(as_bytes(encoded)), std::string("zzz9"), std::string("yyy8")}) {
    EXPECT_EQ(shown.find(secret), std::string::npos) << shown;
  }
  EXPECT_EQ(shown.find('\n'), std::string::npos);
  const std::string small = "a%2bb%2fc%3d%3d";
  const std::string address =
      "https://store.example.com/Temp/7/x.txt?X-Amz-Credential=AKIA&Signature=sEcReT%2Bb";
  for (const std::string& form :
       {small, to_base64(as_bytes(small)), percent_encode(encoded), percent_encode(small),
        percent_encode(address), percent_encode(percent_encode(address))}) {
    const std::string words = printable("No file at " + form + " today", {token});
    EXPECT_EQ(words, "No file at *** today") << form;
  }
  EXPECT_EQ(printable("see http://help.example.com and https", {}),
            "see http://help.example.com and https");
  EXPECT_LE(printable(std::string(5000, 'x'), {}).size(), 200u);
  EXPECT_TRUE(is_valid_utf8(printable(std::string(199, 'x') + "üüü", {})));
}

}  // namespace
}  // namespace cabinetfs::kenesto
