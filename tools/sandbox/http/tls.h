#pragma once

#include <string>

namespace cabinetfs::sandbox {

// PEM texts: a CA, and a server certificate for localhost and 127.0.0.1 that it signed.
struct Certificates {
  std::string ca_pem, certificate_pem, key_pem;
};

// A new CA each time (P-256, valid for 30 days). Throws std::runtime_error if OpenSSL refuses.
Certificates make_certificates();

}  // namespace cabinetfs::sandbox
