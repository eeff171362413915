#include "tests/support/test_certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdlib>
#include <memory>

namespace cabinetfs {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Certificate = std::unique_ptr<X509, Free>;

Key make_key() {
  Key key(EVP_RSA_gen(2048));
  if (key == nullptr) std::abort();
  return key;
}

template <class Write>
std::string to_pem(Write write) {
  const std::unique_ptr<BIO, Free> bio(BIO_new(BIO_s_mem()));
  if (write(bio.get()) != 1) std::abort();
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string private_pem(EVP_PKEY* key) {
  return to_pem([key](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

void add_extension(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
  if (extension == nullptr || X509_add_ext(certificate, extension, -1) != 1) std::abort();
  X509_EXTENSION_free(extension);
}

Certificate make_certificate(EVP_PKEY* key, const char* name, X509* issuer, EVP_PKEY* issuer_key,
                             long serial) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 24L * 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509* const signer = issuer == nullptr ? certificate.get() : issuer;
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(signer));
  if (issuer == nullptr) {
    add_extension(certificate.get(), signer, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate.get(), signer, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    add_extension(certificate.get(), signer, NID_subject_alt_name,
                  "DNS:localhost,DNS:files.example.invalid,IP:127.0.0.1");
  }
  if (X509_sign(certificate.get(), issuer_key, EVP_sha256()) == 0) std::abort();
  return certificate;
}

std::string certificate_pem(X509* certificate) {
  return to_pem([certificate](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

}  // namespace

TestKeyPair make_rsa_key_pair() {
  const Key key = make_key();
  return {private_pem(key.get()),
          to_pem([&key](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key.get()); })};
}

TestAuthority make_test_authority() {
  const Key ca_key = make_key();
  // A name of its own: two authorities with one name would be told apart by a bad signature only.
  static std::atomic<int> made = 0;
  const std::string name = "Test Authority " + std::to_string(++made);
  const Certificate ca = make_certificate(ca_key.get(), name.c_str(), nullptr, ca_key.get(), 1);
  const Key server_key = make_key();
  const Certificate server =
      make_certificate(server_key.get(), "localhost", ca.get(), ca_key.get(), 2);
  return {certificate_pem(ca.get()),
          {certificate_pem(server.get()), private_pem(server_key.get())}};
}

}  // namespace cabinetfs
