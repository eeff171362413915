#include "backend/kenesto/session.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/fake_clock.h"
#include "tests/support/gate.h"
#include "tests/unit/kenesto/scripted_kenesto.h"

namespace cabinetfs {
namespace {

constexpr const char* kAuthenticate = "GET Access.svc/Authenticate/json/";
constexpr const char* kLogin = "GET Access.svc/Login/json/";
constexpr const char* kAuthenticated =
    R"({"AuthenticateJsonResult":{"ResponseStatus":"OK","ErrorMessage":null,"Token":"a+b/c=",
        "Organizations":[{"OrganizationIdentifier":"org-1","IsDefault":false},
                         {"OrganizationIdentifier":"org 2","IsDefault":true}]}})";

std::string logged_in(const std::string& token) {
  return R"({"LoginJsonResult":{"ResponseStatus":"OK","Token":")" + token +
         R"(","User":{"EmailAddress":"me@example.com","FirstName":"Me","LastName":"Myself",
         "TenantID":"3"}}})";
}

std::string refused(const std::string& message) {
  return R"({"AuthenticateJsonResult":{"ResponseStatus":"FAILED","ErrorMessage":")" + message +
         R"("}})";
}

class KenestoLoginTest : public ::testing::Test {
 protected:
  static CallContext soon() { return CallContext::within(std::chrono::seconds(10)); }
  void expect_login(const std::string& token) {
    http_.answer(kAuthenticate, kAuthenticated);
    http_.answer(kLogin, logged_in(token));
  }
  KenestoLogin login_{"cad", "https://app.kenesto.com", ""};
  ScriptedKenesto http_;
  FakeClock clock_;
  std::string password_ = "p&ss w%rd";
  std::string stamp_ = "1";
  KenestoLoginSession session_{http_, login_,
                               [this](const CallContext&) -> Result<KenestoCredentials> {
                                 return KenestoCredentials{SecretString("key/1"), "me@example.com",
                                                           SecretString(password_), stamp_};
                               },
                               clock_};
};

TEST_F(KenestoLoginTest, TwoStepsGiveATokenForTheDefaultOrganization) {
  expect_login("t+1");
  EXPECT_EQ(*session_.token(soon()), "t+1");
  EXPECT_EQ(*session_.token(soon()), "t+1") << "kept";
  const auto seen = http_.take_seen();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].line,
            "GET Access.svc/Authenticate/json/key%2F1?u=me%40example.com&p=p%26ss%20w%25rd");
  EXPECT_EQ(seen[1].line, "GET Access.svc/Login/json/org%202?t=a%2Bb%2Fc%3D");
  EXPECT_TRUE(seen[0].request.redirects == HttpRequest::Redirects::kNone);
  EXPECT_EQ(session_.user().name, "Me Myself");
  EXPECT_EQ(session_.user().tenant, "3");
}

TEST_F(KenestoLoginTest, TheConfiguredOrganizationIsTaken) {
  login_.organization = "ORG-1";
  http_.answer(kAuthenticate, kAuthenticated);
  http_.answer("GET Access.svc/Login/json/org-1?", logged_in("t"));
  EXPECT_TRUE(kenesto_login(http_, soon(), login_,
                            {SecretString("k"), "me@example.com", SecretString("p")}));
  login_.organization = "elsewhere";
  http_.answer(kAuthenticate, kAuthenticated);
  const auto other = kenesto_login(http_, soon(), login_,
                                   {SecretString("k"), "me@example.com", SecretString("p")});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kUnauthenticated);
}

TEST_F(KenestoLoginTest, RefusedCredentialsAreNotTriedAgainUntilTheyChange) {
  http_.answer(kAuthenticate, refused("ACCESS_DENIED: user me"));
  for (int i = 0; i < 3; ++i) {
    const auto token = session_.token(soon());
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().code, ErrorCode::kUnauthenticated);
    EXPECT_EQ(token.error().context.find(password_), std::string::npos);
  }
  EXPECT_EQ(http_.take_seen().size(), 1u);
  password_ = "another one";
  expect_login("t");
  EXPECT_EQ(*session_.token(soon()), "t");
}

// The server was wrong, or the account has been unlocked: whoever logs in again means it.
TEST_F(KenestoLoginTest, TheSameCredentialsAreTriedAgainWhenTheyWerePutThereAgain) {
  http_.answer(kAuthenticate, refused("ACCESS_DENIED: user me"));
  EXPECT_EQ(session_.token(soon()).error().code, ErrorCode::kUnauthenticated);
  stamp_ = "2";
  http_.answer(kAuthenticate, refused("ACCESS_DENIED: user me"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(session_.token(soon()).error().code, ErrorCode::kUnauthenticated);
  }
  stamp_ = "3";
  expect_login("t");
  EXPECT_EQ(*session_.token(soon()), "t");
}

TEST_F(KenestoLoginTest, UnknownWordsAreNotFinalAndAreAskedForEverMoreRarely) {
  const auto patience = [](int seconds) {
    return CallContext::within(std::chrono::seconds(seconds));
  };
  for (const int pause : {5, 10, 20}) {
    http_.answer(kAuthenticate, refused("The service is being updated"));
    EXPECT_EQ(session_.token(soon()).error().code, ErrorCode::kUnavailable);
    const auto waits = session_.token(patience(pause - 1));
    ASSERT_FALSE(waits);
    EXPECT_EQ(waits.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(waits.error().context.find("being updated"), std::string::npos);
    clock_.advance(std::chrono::seconds(pause));
  }
  expect_login("t");
  EXPECT_EQ(*session_.token(soon()), "t");
}

TEST_F(KenestoLoginTest, FiveRefusalsInUnknownWordsAreFinalForTheseCredentials) {
  const auto refuse_all = [&] {
    for (const int pause : {5, 10, 20, 40}) {
      http_.answer(kAuthenticate, refused("Contrasena incorrecta"));
      EXPECT_EQ(session_.token(soon()).error().code, ErrorCode::kUnavailable);
      clock_.advance(std::chrono::seconds(pause));
    }
    http_.answer(kAuthenticate, refused("Contrasena incorrecta"));
    for (int i = 0; i < 3; ++i) {
      const auto token = session_.token(soon());
      ASSERT_FALSE(token);
      EXPECT_EQ(token.error().code, ErrorCode::kUnauthenticated);
      EXPECT_NE(token.error().context.find("Contrasena"), std::string::npos);
      clock_.advance(std::chrono::hours(1));
    }
  };
  refuse_all();
  EXPECT_EQ(http_.take_seen().size(), 5u);
  // Others are counted anew.
  stamp_ = "2";
  refuse_all();
  password_ = "another one";
  expect_login("t");
  EXPECT_EQ(*session_.token(soon()), "t");
}

TEST_F(KenestoLoginTest, ANewLoginEndsThePauseAfterUnknownWords) {
  for (const int pause : {5, 10, 20, 40}) {
    http_.answer(kAuthenticate, refused("Contrasena incorrecta"));
    EXPECT_EQ(session_.token(soon()).error().code, ErrorCode::kUnavailable);
    if (pause != 40) clock_.advance(std::chrono::seconds(pause));
  }
  // What is put there is looked at once a second.
  EXPECT_EQ(session_.token(soon()).error().code, ErrorCode::kUnavailable) << "the same still";
  stamp_ = "2";
  clock_.advance(std::chrono::seconds(1));
  expect_login("t");
  EXPECT_EQ(session_.token(soon()).value_or("-"), "t");
}

TEST_F(KenestoLoginTest, OfAnAnswerWithAStatusTheStatusCounts) {
  const std::string envelope = refused("Sorry");
  http_.answer(kAuthenticate, envelope, 403);
  EXPECT_EQ(session_.token(soon()).error().code, ErrorCode::kUnauthenticated);
  stamp_ = "2";
  for (const auto& [body, status] :
       {std::pair(envelope, 503), std::pair(std::string("<html>sign in</html>"), 200),
        std::pair(std::string(R"({"AuthenticateJsonResult":{"ResponseStatus":"OK"}})"), 200)}) {
    http_.answer(kAuthenticate, body, status);
    EXPECT_EQ(session_.token(soon()).error().code, ErrorCode::kUnavailable) << body << status;
  }
}

TEST_F(KenestoLoginTest, AnExpiredLicenceIsFinalAndSaysSo) {
  http_.answer(kAuthenticate, refused("VAL10335 licence"));
  const auto token = session_.token(soon());
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code, ErrorCode::kUnauthenticated);
  EXPECT_NE(token.error().context.find("licence"), std::string::npos);
}

TEST_F(KenestoLoginTest, AnUnreachableServerIsTriedAgain) {
  http_.lose(kAuthenticate);
  EXPECT_EQ(session_.token(soon()).error().code, ErrorCode::kUnavailable);
  http_.answer(kAuthenticate, "<html>busy</html>", 503);
  EXPECT_EQ(session_.token(soon()).error().code, ErrorCode::kUnavailable);
  expect_login("t");
  EXPECT_EQ(*session_.token(soon()), "t");
}

TEST_F(KenestoLoginTest, ARejectedTokenCostsOneLoginForAll) {
  expect_login("old");
  EXPECT_EQ(*session_.token(soon()), "old");
  clock_.advance(std::chrono::minutes(20));
  expect_login("new");
  for (int i = 0; i < 5; ++i) session_.invalidate("old");
  std::vector<std::jthread> callers;
  std::atomic<int> got = 0;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      const auto token = session_.token(soon());
      if (token && *token == "new") ++got;
      session_.invalidate("old");
    });
  }
  callers.clear();
  EXPECT_EQ(got.load(), 8);
  EXPECT_EQ(http_.take_seen().size(), 4u);
}

class KenestoLoginPause : public KenestoLoginTest {
 protected:
  // Three sessions that the server ends at once.
  void SetUp() override {
    for (int i = 0; i < 3; ++i) {
      expect_login("t" + std::to_string(i));
      const auto token = session_.token(soon());
      ASSERT_TRUE(token);
      session_.invalidate(*token);
    }
    http_.take_seen();
  }
};

TEST_F(KenestoLoginPause, EndsACallAtOnceThatHasNoTimeForIt) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(session_.token(CallContext::within(std::chrono::seconds(4))).error().code,
              ErrorCode::kUnavailable);
  }
  EXPECT_TRUE(http_.take_seen().empty());
  clock_.advance(std::chrono::seconds(6));
  expect_login("later");
  EXPECT_EQ(*session_.token(soon()), "later");
}

TEST_F(KenestoLoginPause, IsWaitedForAndThenOneLogsInForAll) {
  const auto patient = CallContext::within(std::chrono::minutes(5));
  std::atomic<int> got = 0;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([&] {
        const auto token = session_.token(patient);
        if (token && *token == "later") ++got;
      });
    }
    // A session that asked before its time would find no answer here.
    clock_.advance(std::chrono::milliseconds(4900));
    expect_login("later");
    clock_.advance(std::chrono::milliseconds(200));
  }
  EXPECT_EQ(got.load(), 4);
  EXPECT_EQ(http_.take_seen().size(), 2u);
}

TEST_F(KenestoLoginPause, GrowsWhileItGoesOnAndIsForgottenWhenASessionLives) {
  const auto short_of = [](int seconds) {
    return CallContext::within(std::chrono::seconds(seconds));
  };
  for (const int pause : {5, 10, 20}) {
    EXPECT_EQ(session_.token(short_of(pause - 1)).error().code, ErrorCode::kUnavailable) << pause;
    clock_.advance(std::chrono::seconds(pause));
    expect_login("t" + std::to_string(pause));
    const auto token = session_.token(soon());
    ASSERT_TRUE(token) << pause;
    session_.invalidate(*token);
  }
  clock_.advance(std::chrono::seconds(40));
  expect_login("good");
  ASSERT_TRUE(session_.token(soon()));
  clock_.advance(std::chrono::seconds(11));
  session_.invalidate("good");
  expect_login("at once");
  EXPECT_EQ(*session_.token(soon()), "at once");
}

TEST_F(KenestoLoginPause, CanBeCancelled) {
  CancelSource cancel;
  CallContext call = CallContext::within(std::chrono::minutes(5));
  call.cancel = cancel.token();
  std::jthread caller([&] { EXPECT_EQ(session_.token(call).error().code, ErrorCode::kCancelled); });
  cancel.cancel();
}

TEST_F(KenestoLoginTest, ACallerThatGaveUpDoesNotLogIn) {
  CancelSource cancel;
  cancel.cancel();
  CallContext call = soon();
  call.cancel = cancel.token();
  EXPECT_EQ(session_.token(call).error().code, ErrorCode::kCancelled);
}

TEST_F(KenestoLoginTest, APastedTokenIsFinal) {
  const auto pasted =
      make_pasted_kenesto_session("cad", SecretString("abc"), {"me@example.com", "", ""});
  EXPECT_EQ(*pasted->token(soon()), "abc");
  pasted->invalidate("other");
  EXPECT_EQ(*pasted->token(soon()), "abc");
  pasted->invalidate("abc");
  EXPECT_EQ(pasted->token(soon()).error().code, ErrorCode::kUnauthenticated);
  EXPECT_EQ(pasted->user().email, "me@example.com");
}

TEST_F(KenestoLoginTest, AnotherPastedTokenTakesThePlaceOfARefusedOne) {
  KenestoPasted stored{SecretString("abc"), "1"};
  int asked = 0;
  const auto pasted = make_pasted_kenesto_session("cad", KenestoPasted{SecretString("abc"), "1"},
                                                  [&](const CallContext&) -> Result<KenestoPasted> {
                                                    ++asked;
                                                    return stored;
                                                  });
  EXPECT_EQ(*pasted->token(soon()), "abc");
  EXPECT_EQ(asked, 0);
  pasted->invalidate("abc");
  EXPECT_EQ(pasted->token(soon()).error().code, ErrorCode::kUnauthenticated);
  stored = {SecretString("x%2By%2fz%3D"), "2"};
  EXPECT_EQ(*pasted->token(soon()), "x+y/z=");
  pasted->invalidate("x+y/z=");
  EXPECT_EQ(pasted->token(soon()).error().code, ErrorCode::kUnauthenticated);
  stored.stamp = "3";
  EXPECT_EQ(*pasted->token(soon()), "x+y/z=") << "pasted again";
}

TEST_F(KenestoLoginTest, APastedTokenIsTakenAsItStandsInAnAddressToo) {
  for (const auto& [text, token] :
       {std::pair("a%2Bb%2fc%3D%3d", "a+b/c=="), std::pair("a+b/c==", "a+b/c=="),
        std::pair("a%41b", "a%41b"), std::pair("a%2", "a%2"), std::pair("a%", "a%"),
        std::pair("a%252B", "a%252B"), std::pair("a%zz", "a%zz")}) {
    EXPECT_EQ(*make_pasted_kenesto_session("cad", SecretString(text))->token(soon()), token);
  }
}

}  // namespace
}  // namespace cabinetfs
