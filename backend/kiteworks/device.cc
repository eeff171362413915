#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "backend/base/text.h"
#include "backend/kiteworks/kiteworks.h"

namespace cabinetfs {

std::vector<std::pair<std::string, std::string>> kiteworks_device(const std::string& host,
                                                                  const std::string& installation) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const Bytes seed = as_bytes(installation);
  if (EVP_Digest(seed.data(), seed.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    return {};
  }
  std::string tag = "cabinetfs-";
  // 128 bits tell installations apart.
  for (unsigned i = 0; i < 16 && i < size; ++i) tag += fmt::format("{:02x}", digest[i]);
  return {{"install_tag_id", std::move(tag)}, {"install_name", "cabinetfs on " + host}};
}

}  // namespace cabinetfs
