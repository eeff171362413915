#include "tools/sandbox/http/tls.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <utility>

namespace cabinetfs::sandbox {
namespace {

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* pointer) const { Free(pointer); }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509, X509_free>>;

void must(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

template <class Write>
std::string pem(Write write) {
  BIO* memory = BIO_new(BIO_s_mem());
  must(memory != nullptr && write(memory) == 1, "PEM");
  char* text = nullptr;
  const long length = BIO_get_mem_data(memory, &text);
  std::string out(text, static_cast<std::size_t>(length));
  BIO_free(memory);
  return out;
}

Certificate make(EVP_PKEY* key, const char* name, X509* issuer, EVP_PKEY* issuer_key,
                 std::initializer_list<std::pair<int, const char*>> extensions) {
  Certificate certificate(X509_new());
  must(certificate != nullptr, "X509_new");
  X509_set_version(certificate.get(), 2);
  std::uint64_t serial = 0;
  must(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "RAND_bytes");
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1U);
  // A day back: a test may run with a clock that is a little behind.
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -24L * 3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 30L * 24 * 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509* signer = issuer == nullptr ? certificate.get() : issuer;
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(signer));
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, signer, certificate.get(), nullptr, nullptr, 0);
  for (const auto& [nid, value] : extensions) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    must(extension != nullptr, value);
    X509_add_ext(certificate.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  must(X509_sign(certificate.get(), issuer_key, EVP_sha256()) > 0, "X509_sign");
  return certificate;
}

}  // namespace

Certificates make_certificates() {
  const Key ca_key(EVP_EC_gen("P-256"));
  const Key key(EVP_EC_gen("P-256"));
  must(ca_key != nullptr && key != nullptr, "EVP_EC_gen");
  const Certificate ca = make(ca_key.get(), "cabinetfs sandbox CA", nullptr, ca_key.get(),
                              {{NID_basic_constraints, "critical,CA:TRUE"},
                               {NID_key_usage, "critical,keyCertSign,cRLSign"},
                               {NID_subject_key_identifier, "hash"}});
  const Certificate server = make(key.get(), "localhost", ca.get(), ca_key.get(),
                                  {{NID_basic_constraints, "critical,CA:FALSE"},
                                   {NID_key_usage, "critical,digitalSignature"},
                                   {NID_ext_key_usage, "serverAuth"},
                                   {NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1"},
                                   {NID_authority_key_identifier, "keyid"}});
  Certificates out;
  out.ca_pem = pem([&](BIO* bio) { return PEM_write_bio_X509(bio, ca.get()); });
  out.certificate_pem = pem([&](BIO* bio) { return PEM_write_bio_X509(bio, server.get()); });
  out.key_pem = pem([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return out;
}

}  // namespace cabinetfs::sandbox
