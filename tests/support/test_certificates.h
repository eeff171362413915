#pragma once

#include <string>

namespace cabinetfs {

// PEM texts, made anew for every run.
struct TestKeyPair {
  std::string private_key;
  std::string public_key;
};
TestKeyPair make_rsa_key_pair();

struct TestCertificate {
  std::string certificate;
  std::string private_key;
};
// An authority, and a certificate for localhost, 127.0.0.1 and files.example.invalid that it has
// signed.
struct TestAuthority {
  std::string ca_certificate;
  TestCertificate server;
};
TestAuthority make_test_authority();

}  // namespace cabinetfs
