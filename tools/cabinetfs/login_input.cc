#include "tools/cabinetfs/login_input.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <istream>
#include <map>
#include <optional>

#include "backend/base/text.h"
#include "tools/cabinetfs/interrupt.h"

namespace cabinetfs {
namespace {

constexpr std::size_t kLongestLine = 16u << 10;

std::string percent_decode(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      if (const auto byte = from_hex(text.substr(i + 1, 2))) {
        out += static_cast<char>(byte->front());
        i += 2;
        continue;
      }
    }
    out += text[i] == '+' ? ' ' : text[i];
  }
  return out;
}

// What is typed into a hidden line besides its characters.
constexpr char kCtrlC = 3, kCtrlD = 4, kBackspace = 8, kKillLine = 21, kCtrlBackslash = 28,
               kDelete = 127;

// Takes the last character back, which may be several bytes of UTF-8.
void take_back(std::string& line) {
  while (!line.empty()) {
    const auto byte = static_cast<unsigned char>(line.back());
    line.back() = 0;
    line.pop_back();
    if ((byte & 0xc0) != 0x80) return;
  }
}

// The terminal itself: standard input may be a pipe.
class Terminal {
 public:
  Terminal() : fd_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {}
  ~Terminal() {
    if (hidden_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
    if (fd_ >= 0) ::close(fd_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  bool is_open() const { return fd_ >= 0; }
  void hide_typing() {
    if (::tcgetattr(fd_, &before_) != 0) return;
    struct termios changed = before_;
    changed.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    // ISIG off: Ctrl-C must not end the program before the echo is back. ICANON off, so that it is
    // read at once, and a line may be longer than the 4095 characters that the kernel edits.
    changed.c_lflag &= ~static_cast<tcflag_t>(ISIG | ICANON);
    changed.c_cc[VMIN] = 1;
    changed.c_cc[VTIME] = 0;
    hidden_ = ::tcsetattr(fd_, TCSAFLUSH, &changed) == 0;
  }
  void print(const std::string& text) const { (void)!::write(fd_, text.data(), text.size()); }
  Result<std::string> read_line(const std::function<bool()>& stop) const {
    std::string out;
    out.reserve(hidden_ ? kLongestLine : 0);  // a secret leaves no copies behind as it grows
    bool too_long = false;
    for (;;) {
      struct pollfd ready = {fd_, POLLIN, 0};
      while (stop && ::poll(&ready, 1, 200) <= 0) {
        if (!stop()) continue;
        SecretString::wipe(out);
        return fail(ErrorCode::kCancelled, "not needed any more");
      }
      char c = 0;
      const ssize_t n = ::read(fd_, &c, 1);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0 || c == kCtrlC || c == kCtrlD || (hidden_ && c == kCtrlBackslash)) {
        SecretString::wipe(out);
        return fail(ErrorCode::kCancelled, "nothing was entered");
      }
      if (c == '\n' || c == '\r') break;
      if (hidden_ && (c == kBackspace || c == kDelete)) {
        take_back(out);
      } else if (hidden_ && c == kKillLine) {
        SecretString::wipe(out);
      } else if (out.size() < kLongestLine) {
        out += c;
      } else {
        too_long = true;
      }
    }
    if (!too_long) return out;
    SecretString::wipe(out);
    return fail(ErrorCode::kInvalid,
                fmt::format("what was entered is longer than {} characters", kLongestLine));
  }

 private:
  const int fd_;
  bool hidden_ = false;
  struct termios before_ {};
};

Result<std::string> ask(const std::string& question, bool hidden,
                        const std::function<bool()>& stop) {
  // SIGTERM, and SIGINT from elsewhere, must not leave the terminal without its echo.
  std::optional<InterruptScope> interrupt;
  if (hidden) interrupt.emplace();
  Terminal terminal;
  if (!terminal.is_open())
    return fail(ErrorCode::kInvalid,
                "there is no terminal to ask on; use --secret-stdin in scripts");
  terminal.print(question);
  if (hidden) terminal.hide_typing();
  auto line = hidden ? terminal.read_line([&] { return interrupt->interrupted(); })
                     : terminal.read_line(stop);
  if (hidden) terminal.print("\n");
  return line;
}

}  // namespace

Result<std::vector<SecretString>> read_secret_lines(std::istream& in, std::size_t most) {
  std::vector<SecretString> out;
  std::string line;
  while (out.size() < most && std::getline(in, line)) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.size() > kLongestLine) {
      SecretString::wipe(line);
      return fail(ErrorCode::kInvalid, "a line on standard input is too long for a secret");
    }
    out.emplace_back(line);
    SecretString::wipe(line);
  }
  while (!out.empty() && out.back().empty()) out.pop_back();
  return out;
}

Result<std::string> code_from_paste(const std::string& pasted, const std::string& state) {
  std::string text = pasted;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.pop_back();
  text.erase(0, text.find_first_not_of(' ') == std::string::npos ? text.size()
                                                                 : text.find_first_not_of(' '));
  if (const auto fragment = text.find('#'); fragment != std::string::npos) text.resize(fragment);
  const auto question = text.find('?');
  const bool is_query = question != std::string::npos || text.find('=') != std::string::npos;
  if (!is_query) {
    if (text.empty() || text.find('/') != std::string::npos)
      return fail(ErrorCode::kInvalid, "there is no code in what was pasted");
    return text;
  }
  std::map<std::string, std::string> fields;
  const std::string query = question == std::string::npos ? text : text.substr(question + 1);
  for (const std::string& pair : split(query, '&')) {
    const auto equals = pair.find('=');
    if (equals != std::string::npos)
      fields[pair.substr(0, equals)] = percent_decode(pair.substr(equals + 1));
  }
  if (const auto error = fields.find("error"); error != fields.end())
    return fail(ErrorCode::kDenied, fmt::format("the server refused the login: {} {}",
                                                error->second, fields["error_description"]));
  if (fields["state"] != state)
    return fail(ErrorCode::kInvalid,
                "the pasted address belongs to another login; start again with the address shown");
  if (fields["code"].empty())
    return fail(ErrorCode::kInvalid, "there is no code in what was pasted");
  return fields["code"];
}

Result<SecretString> ask_secret(const std::string& question) {
  TRY_ASSIGN(std::string line, ask(question, true, {}));
  SecretString out(line);
  SecretString::wipe(line);
  return out;
}

Result<std::string> ask_line(const std::string& question, const std::function<bool()>& stop) {
  return ask(question, false, stop);
}

bool can_ask() { return Terminal().is_open(); }

}  // namespace cabinetfs
