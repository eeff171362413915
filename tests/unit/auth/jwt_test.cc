#include "backend/auth/jwt.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "backend/base/text.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/auth/auth_test_util.h"

namespace cabinetfs {
namespace {

std::string decode_base64url(std::string text) {
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  const std::size_t padding = (4 - text.size() % 4) % 4;
  text.append(padding, '=');
  std::string out(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) return {};
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

bool verifies(const std::string& text, const std::string& signature, const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* key = PEM_read_bio_PUBKEY(bio, nullptr, nullptr, nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const bool good =
      EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key) == 1 &&
      EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()),
                       signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                       text.size()) == 1;
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  BIO_free(bio);
  return good;
}

TEST(Jwt, AssertionVerifiesWithThePublicKey) {
  const TestKeyPair keys = make_rsa_key_pair();
  const JwtClaims claims{
      .issuer = "files.example.com", .subject = "me@example.com", .audience = "aud"};
  const WallTime now{std::chrono::seconds(1'767'225'600)};
  const auto assertion = make_jwt_assertion(claims, SecretString(keys.private_key), now);
  ASSERT_TRUE(assertion.has_value()) << to_string(assertion.error());
  const auto parts = split(assertion->reveal(), '.');
  ASSERT_EQ(parts.size(), 3u);
  const std::string signature = decode_base64url(parts[2]);
  EXPECT_TRUE(verifies(parts[0] + "." + parts[1], signature, keys.public_key));
  EXPECT_FALSE(verifies(parts[0] + "." + parts[1] + "x", signature, keys.public_key));
  const auto header = nlohmann::json::parse(decode_base64url(parts[0]));
  EXPECT_EQ(header["alg"], "RS256");
  EXPECT_EQ(header["typ"], "JWT");
  const auto body = nlohmann::json::parse(decode_base64url(parts[1]));
  EXPECT_EQ(body["iss"], "files.example.com");
  EXPECT_EQ(body["sub"], "me@example.com");
  EXPECT_EQ(body["aud"], "aud");
  // A server whose clock is a minute behind takes it, and none lives longer than 5 minutes.
  EXPECT_EQ(body["iat"], 1'767'225'540);
  EXPECT_EQ(body["nbf"], 1'767'225'540);
  EXPECT_EQ(body["exp"], 1'767'225'840);
  const auto second = make_jwt_assertion(claims, SecretString(keys.private_key), now);
  const auto other = nlohmann::json::parse(decode_base64url(split(second->reveal(), '.').at(1)));
  EXPECT_NE(body["jti"], other["jti"]);
}

TEST(Jwt, WhatIsNoKeyIsRefused) {
  const WallTime now{};
  EXPECT_EQ(make_jwt_assertion({}, SecretString("no key"), now).error().code, ErrorCode::kInvalid);
  EVP_PKEY* curve = EVP_EC_gen("P-256");
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, curve, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  const SecretString pem(std::string(data, static_cast<std::size_t>(size)));
  EXPECT_EQ(make_jwt_assertion({}, pem, now).error().code, ErrorCode::kInvalid);
  BIO_free(bio);
  EVP_PKEY_free(curve);
}

TEST(Jwt, KeyFileMustBePrivate) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("key.pem");
  std::FILE* file = std::fopen(path.c_str(), "w");
  std::fputs("key text", file);
  std::fclose(file);
  ::chmod(path.c_str(), 0644);
  EXPECT_EQ(read_private_key(path).error().code, ErrorCode::kDenied);
  ::chmod(path.c_str(), 0600);
  const auto key = read_private_key(path);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->reveal(), "key text");
  EXPECT_EQ(read_private_key(directory.file("none")).error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace cabinetfs
