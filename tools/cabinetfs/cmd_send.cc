// send: mail with attachments, without a mount or beside one.

#include <fmt/format.h>

#include <iostream>
#include <iterator>
#include <memory>

#include "backend/remote_store.h"
#include "cache/posix_env.h"
#include "tools/cabinetfs/commands.h"
#include "tools/cabinetfs/config.h"
#include "tools/cabinetfs/connection.h"
#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/mount_table.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/progress.h"
#include "tools/cabinetfs/units.h"

namespace cabinetfs {
namespace {

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// How much of the attachments has been read; the rest of a chunk is still on its way then. Used by
// the thread that sends.
class SendDisplay {
 public:
  SendDisplay() : line_(errors_are_terminal()) {}
  void expect(std::uint64_t bytes) { total_ += bytes; }
  void read(const std::string& name, std::uint64_t bytes) {
    const SteadyTime now = Clock::system().steady();
    line_.show(fmt::format("{}  {} of {}  {}", progress_bar(done_, total_, kWidth),
                           format_size(done_), format_size(total_), printable(name)),
               now);
    done_ += bytes;
  }
  void clear() { line_.clear(); }

 private:
  static constexpr unsigned kWidth = 20;
  ProgressLine line_;
  std::uint64_t done_ = 0, total_ = 0;
};

Result<Mail::Attachment> attach(const std::string& path, SendDisplay& display) {
  TRY_ASSIGN(File opened, File::open_read(path));
  const auto file = std::make_shared<File>(std::move(opened));
  Mail::Attachment out;
  out.name = base_name(absolute_path(path));
  TRY_ASSIGN(out.size, file->size());
  display.expect(out.size);
  out.read = [file, &display, name = out.name](std::uint64_t offset, MutableBytes into) {
    display.read(name, into.size());
    return file->read_exactly_at(offset, into).has_value();
  };
  return out;
}

// The account that sends: named, or the files' own, or the only one.
Result<std::string> sender(const Config& config, const SendCommand& command) {
  if (!command.remote.empty()) {
    TRY(config.find(command.remote));
    return command.remote;
  }
  std::string out;
  TRY_ASSIGN(const auto volumes, mounted_volumes());
  for (const std::string& file : command.files) {
    const auto where = find_on_mounts(volumes, absolute_path(file));
    if (!where) continue;
    if (!out.empty() && out != where->volume.remote)
      return fail(ErrorCode::kInvalid,
                  "the files are on mounts of different remotes; choose one with --remote");
    out = where->volume.remote;
  }
  if (!out.empty()) return out;
  if (config.remotes().size() == 1) return config.remotes().front().name;
  return fail(ErrorCode::kInvalid, config.remotes().empty()
                                       ? "no remote is configured; see: cabinetfs remote add"
                                       : "which account sends? choose it with --remote");
}

}  // namespace

ExitCode run_send(const Paths& paths, const SendCommand& command) {
  if (command.to.empty() && !command.draft)
    return usage_error("send: nobody to send to; add --to ADDRESS");
  if (command.files.empty() && command.body.empty() && !command.body_stdin)
    return usage_error("send: neither a file nor a text (--body) to send");
  const auto config = Config::load(paths.config_file);
  if (!config) return usage_error(config.error().context);
  const auto remote = sender(*config, command);
  if (!remote)
    return remote.error().code == ErrorCode::kInvalid ? usage_error(remote.error().context)
                                                      : fail_with(remote.error());
  const auto options = config->options_for(*remote);
  if (!options) return usage_error(options.error().context);

  Mail mail;
  mail.to = command.to;
  mail.cc = command.cc;
  mail.bcc = command.bcc;
  mail.subject = command.subject;
  mail.body = command.body;
  mail.draft = command.draft;
  if (command.body_stdin)
    mail.body.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  SendDisplay display;
  for (const std::string& file : command.files) {
    auto attachment = attach(file, display);
    if (!attachment) return fail_with(attachment.error());
    mail.attachments.push_back(std::move(*attachment));
  }
  InterruptScope interrupt;
  auto connection = Connection::open(paths, *remote, *options);
  if (!connection) return fail_with(connection.error(), *remote);
  CallContext call;
  call.cancel = interrupt.token();
  // Attachments may take long; a transfer that stalls ends by itself.
  call.deadline = Clock::system().steady() + std::chrono::hours(12);
  const auto sent = (*connection)->store().send_mail(call, mail);
  display.clear();
  if (!sent) {
    if (interrupt.interrupted()) {
      // Whether it went out all the same is in the message.
      complain("interrupted: " + printable(sent.error().context));
      return ExitCode::kFailed;
    }
    return fail_with(sent.error(), *remote);
  }
  return ExitCode::kOk;
}

}  // namespace cabinetfs
