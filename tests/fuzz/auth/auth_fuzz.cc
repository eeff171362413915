// What a token endpoint answers, and what this program has stored of it. The first byte chooses the
// parser.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "backend/auth/oauth.h"
#include "backend/auth/oauth_token_source.h"
#include "backend/auth/secret_store.h"
#include "backend/base/text.h"

namespace {

using namespace cabinetfs;

void check(bool good) {
  if (!good) std::abort();
}

// Goes with the process.
class SecretFile {
 public:
  SecretFile() {
    std::string name = "/tmp/auth_fuzz.XXXXXX";
    check(::mkdtemp(name.data()) != nullptr);
    directory_ = name;
  }
  ~SecretFile() {
    ::unlink(path().c_str());
    ::rmdir(directory_.c_str());
  }
  std::string path() const { return directory_ + "/secrets.json"; }
  void fill(std::string_view bytes) const {
    const int fd = ::open(path().c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    check(fd >= 0 && ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    ::close(fd);
  }

 private:
  std::string directory_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: {
      constexpr std::array kStatuses = {200, 302, 400, 401, 503};
      const auto tokens = parse_token_answer(kStatuses[data[0] % 8], body, data[0] >= 128);
      if (tokens) {
        check(!tokens->access_token.empty());
        check(!tokens->expires_in || tokens->expires_in->count() >= 0);
      } else {
        check(is_valid_utf8(tokens.error().context));
        check(tokens.error().context.find('\n') == std::string::npos);
      }
      break;
    }
    case 5:
      if (const auto tokens = decode_tokens(SecretString(std::string(body)))) {
        // What was understood is written in one way only, and reads as the same.
        const SecretString once = encode_tokens(*tokens);
        const auto again = decode_tokens(once);
        check(again && encode_tokens(*again) == once);
      }
      break;
    case 6:
      for (const auto& [name, value] : parse_query(body)) check(name.size() + value.size() <= size);
      break;
    default: {
      static const SecretFile file;
      file.fill(body);
      const auto store = make_file_secret_store(file.path());
      (void)store->get("work", "tokens");
      (void)store->get("", "");
    }
  }
  return 0;
}
