#include "tests/crash/remote_pipe.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <span>

#include "tests/support/fake_remote_store.h"

namespace cabinetfs {
namespace {

// Values one behind the other: numbers of eight bytes, strings with their length.
class Writer {
 public:
  Writer& number(std::uint64_t value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Writer& text(std::string_view value) {
    number(value.size());
    out_.append(value);
    return *this;
  }
  Writer& time(WallTime value) {
    return number(static_cast<std::uint64_t>(value.time_since_epoch().count()));
  }
  Writer& entry(const RemoteEntry& e) {
    text(e.id.value).text(e.parent.value).text(e.name).number(static_cast<std::uint64_t>(e.kind));
    number(e.size).time(e.modified).time(e.changed).time(e.created).text(e.validator.value);
    number(e.rights ? e.rights->bits() : 0xffffu).text(e.hashes.md5).text(e.hashes.sha3_256);
    number(static_cast<std::uint64_t>(e.scan)).number(e.version_count).number(e.system);
    number(static_cast<std::uint64_t>(e.lock)).text(e.lock_holder);
    return number(e.lock_to_write);
  }
  Writer& target(const UploadTarget& t) {
    text(t.file.value).text(t.parent.value).text(t.name).time(t.modified);
    return text(t.before.value);
  }
  Writer& session(const UploadSession& s) {
    text(s.id).text(s.address).number(s.size).number(s.chunk_size).number(s.next_chunk);
    return target(s.target);
  }
  Writer& failure(const Error& error) {
    return number(0).number(static_cast<std::uint64_t>(error.code)).text(error.context);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Both ends are of one program: no input is malformed.
class Reader {
 public:
  explicit Reader(std::string in) : in_(std::move(in)) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    in_.copy(reinterpret_cast<char*>(&value), sizeof value, at_);
    at_ += sizeof value;
    return value;
  }
  std::string text() {
    const std::uint64_t size = number();
    std::string value = in_.substr(at_, size);
    at_ += size;
    return value;
  }
  WallTime time() {
    return WallTime(std::chrono::nanoseconds(static_cast<std::int64_t>(number())));
  }
  NodeKind kind() { return static_cast<NodeKind>(number()); }
  RemoteEntry entry() {
    RemoteEntry e;
    e.id.value = text();
    e.parent.value = text();
    e.name = text();
    e.kind = kind();
    e.size = number();
    e.modified = time();
    e.changed = time();
    e.created = time();
    e.validator.value = text();
    if (const std::uint64_t bits = number(); bits != 0xffffu)
      e.rights = Rights(static_cast<std::uint16_t>(bits));
    e.hashes.md5 = text();
    e.hashes.sha3_256 = text();
    e.scan = static_cast<ScanState>(number());
    e.version_count = static_cast<std::uint32_t>(number());
    e.system = number() != 0;
    e.lock = static_cast<LockState>(number());
    e.lock_holder = text();
    e.lock_to_write = number() != 0;
    return e;
  }
  UploadTarget target() {
    UploadTarget t;
    t.file.value = text();
    t.parent.value = text();
    t.name = text();
    t.modified = time();
    t.before.value = text();
    return t;
  }
  UploadSession session() {
    UploadSession s;
    s.id = text();
    s.address = text();
    s.size = number();
    s.chunk_size = number();
    s.next_chunk = number();
    s.target = target();
    return s;
  }

 private:
  const std::string in_;
  std::size_t at_ = 0;
};

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_all(int socket, char* into, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::recv(socket, into, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool send_message(int socket, const std::string& message) {
  return send_all(socket, Writer().text(message).take());
}

std::optional<std::string> receive_message(int socket) {
  std::uint64_t size = 0;
  if (!receive_all(socket, reinterpret_cast<char*>(&size), sizeof size)) return std::nullopt;
  std::string message(size, '\0');
  if (!receive_all(socket, message.data(), size)) return std::nullopt;
  return message;
}

enum class Call : std::uint64_t {
  kAccount,
  kRoot,
  kList,
  kStat,
  kFindChild,
  kRead,
  kCreateFolder,
  kRename,
  kMove,
  kRemove,
  kPut,
  kPutStream,
  kLock,
  kUnlock,
  kDiscardLock,
  kBegin,
  kChunk,
  kResume,
  kAbort,
};

Writer request(Call call) {
  Writer out;
  out.number(static_cast<std::uint64_t>(call));
  return out;
}

template <class T, class Encode>
std::string answer(const Result<T>& result, Encode&& encode) {
  Writer out;
  if (!result) return out.failure(result.error()).take();
  out.number(1);
  encode(out);
  return out.take();
}

std::string answer_entry(const Result<RemoteEntry>& result) {
  return answer(result, [&](Writer& out) { out.entry(*result); });
}

std::string serve(RemoteStore& store, const std::string& message) {
  Reader in(message);
  const CallContext call = CallContext::within(std::chrono::seconds(30));
  switch (static_cast<Call>(in.number())) {
    case Call::kAccount:
      return answer(store.account(call), [](Writer&) {});
    case Call::kRoot:
      return answer_entry(store.root(call));
    case Call::kList: {
      const auto listed = store.list(call, RemoteId{in.text()});
      return answer(listed, [&](Writer& out) {
        out.number(listed->size());
        for (const RemoteEntry& entry : *listed) out.entry(entry);
      });
    }
    case Call::kStat: {
      const NodeKind kind = in.kind();
      return answer_entry(store.stat(call, kind, RemoteId{in.text()}));
    }
    case Call::kFindChild: {
      const RemoteId folder{in.text()};
      const auto found = store.find_child(call, folder, in.text());
      return answer(found, [&](Writer& out) {
        out.number(found->has_value() ? 1 : 0);
        if (*found) out.entry(**found);
      });
    }
    case Call::kRead: {
      ReadRequest read;
      read.file.value = in.text();
      read.version.value = in.text();
      read.offset = in.number();
      read.length = in.number();
      read.size = in.number();
      read.validator.value = in.text();
      std::string bytes;
      const auto done = store.read(call, read, [&bytes](Bytes part) {
        bytes += as_text(part);
        return true;
      });
      return answer(done, [&](Writer& out) { out.text(bytes); });
    }
    case Call::kCreateFolder: {
      const RemoteId parent{in.text()};
      return answer_entry(store.create_folder(call, parent, in.text()));
    }
    case Call::kRename: {
      const NodeKind kind = in.kind();
      const RemoteId id{in.text()};
      return answer_entry(store.rename(call, kind, id, in.text()));
    }
    case Call::kMove: {
      const NodeKind kind = in.kind();
      const RemoteId id{in.text()};
      return answer_entry(store.move(call, kind, id, RemoteId{in.text()}));
    }
    case Call::kRemove: {
      const NodeKind kind = in.kind();
      return answer(store.remove(call, kind, RemoteId{in.text()}), [](Writer&) {});
    }
    case Call::kPut: {
      const UploadTarget target = in.target();
      const std::string content = in.text();
      return answer_entry(store.put(call, target, as_bytes(content)));
    }
    case Call::kPutStream: {
      const UploadTarget target = in.target();
      const std::string content = in.text();
      const ContentSource source{content.size(),
                                 [&content](std::uint64_t offset, MutableBytes out) {
                                   const Bytes part = as_bytes(content).subspan(offset, out.size());
                                   std::ranges::copy(part, out.begin());
                                   return true;
                                 }};
      return answer_entry(store.put_stream(call, target, source));
    }
    case Call::kLock:
      return answer_entry(store.lock(call, RemoteId{in.text()}));
    case Call::kUnlock: {
      const RemoteId id{in.text()};
      return answer_entry(store.unlock(call, id, in.text()));
    }
    case Call::kDiscardLock:
      return answer_entry(store.discard_lock(call, RemoteId{in.text()}));
    case Call::kBegin: {
      const UploadTarget target = in.target();
      const auto session = store.upload_begin(call, target, in.number());
      return answer(session, [&](Writer& out) { out.session(*session); });
    }
    case Call::kChunk: {
      UploadSession session = in.session();
      const std::string chunk = in.text();
      const auto sent = store.upload_chunk(call, session, as_bytes(chunk));
      return answer(sent, [&](Writer& out) {
        out.number(session.next_chunk).number(sent->has_value() ? 1 : 0);
        if (*sent) out.entry(**sent);
      });
    }
    case Call::kResume: {
      const auto session = store.upload_resume(call, in.session());
      return answer(session, [&](Writer& out) { out.session(*session); });
    }
    case Call::kAbort:
      return answer(store.upload_abort(call, in.session()), [](Writer&) {});
  }
  return Writer().failure({ErrorCode::kNotSupported, "no such call"}).take();
}

Result<RemoteEntry> entry_of(const Result<std::string>& answer) {
  if (!answer) return fail(answer.error());
  return Reader(*answer).entry();
}

Result<void> nothing_of(const Result<std::string>& answer) {
  if (!answer) return fail(answer.error());
  return {};
}

}  // namespace

void serve_remote(int socket, RemoteStore& store) {
  while (const auto message = receive_message(socket)) {
    if (!send_message(socket, serve(store, *message))) return;
  }
}

Result<std::string> PipedRemoteStore::ask(const std::string& message) {
  MutexLock lock(mutex_);
  if (!send_message(socket_, message))
    return fail(ErrorCode::kUnavailable, "the other end is gone");
  const auto reply = receive_message(socket_);
  if (!reply) return fail(ErrorCode::kUnavailable, "the other end is gone");
  Reader in(*reply);
  if (in.number() == 0) {
    const auto code = static_cast<ErrorCode>(in.number());
    return fail(code, in.text());
  }
  return reply->substr(sizeof(std::uint64_t));
}

Result<RemoteAccount> PipedRemoteStore::account(const CallContext&) {
  TRY(ask(request(Call::kAccount).take()));
  return RemoteAccount{};
}

Result<RemoteEntry> PipedRemoteStore::root(const CallContext&) {
  return entry_of(ask(request(Call::kRoot).take()));
}

Result<std::vector<RemoteEntry>> PipedRemoteStore::list(const CallContext&,
                                                        const RemoteId& folder) {
  TRY_ASSIGN(std::string reply, ask(request(Call::kList).text(folder.value).take()));
  Reader in(std::move(reply));
  std::vector<RemoteEntry> entries(in.number());
  for (RemoteEntry& entry : entries) entry = in.entry();
  return entries;
}

Result<RemoteEntry> PipedRemoteStore::stat(const CallContext&, NodeKind kind, const RemoteId& id) {
  return entry_of(
      ask(request(Call::kStat).number(static_cast<std::uint64_t>(kind)).text(id.value).take()));
}

Result<std::optional<RemoteEntry>> PipedRemoteStore::find_child(const CallContext&,
                                                                const RemoteId& folder,
                                                                const std::string& name) {
  TRY_ASSIGN(std::string reply,
             ask(request(Call::kFindChild).text(folder.value).text(name).take()));
  Reader in(std::move(reply));
  if (in.number() == 0) return std::optional<RemoteEntry>();
  return std::optional<RemoteEntry>(in.entry());
}

Result<void> PipedRemoteStore::read(const CallContext&, const ReadRequest& read,
                                    const ByteSink& sink) {
  TRY_ASSIGN(std::string reply, ask(request(Call::kRead)
                                        .text(read.file.value)
                                        .text(read.version.value)
                                        .number(read.offset)
                                        .number(read.length)
                                        .number(read.size)
                                        .text(read.validator.value)
                                        .take()));
  const std::string bytes = Reader(std::move(reply)).text();
  if (!sink(as_bytes(bytes))) return fail(ErrorCode::kCancelled, "the sink gave up");
  return {};
}

Result<RemoteEntry> PipedRemoteStore::create_folder(const CallContext&, const RemoteId& parent,
                                                    const std::string& name) {
  return entry_of(ask(request(Call::kCreateFolder).text(parent.value).text(name).take()));
}

Result<RemoteEntry> PipedRemoteStore::rename(const CallContext&, NodeKind kind, const RemoteId& id,
                                             const std::string& name) {
  return entry_of(ask(request(Call::kRename)
                          .number(static_cast<std::uint64_t>(kind))
                          .text(id.value)
                          .text(name)
                          .take()));
}

Result<RemoteEntry> PipedRemoteStore::move(const CallContext&, NodeKind kind, const RemoteId& id,
                                           const RemoteId& new_parent) {
  return entry_of(ask(request(Call::kMove)
                          .number(static_cast<std::uint64_t>(kind))
                          .text(id.value)
                          .text(new_parent.value)
                          .take()));
}

Result<void> PipedRemoteStore::remove(const CallContext&, NodeKind kind, const RemoteId& id) {
  return nothing_of(
      ask(request(Call::kRemove).number(static_cast<std::uint64_t>(kind)).text(id.value).take()));
}

Result<RemoteEntry> PipedRemoteStore::put(const CallContext&, const UploadTarget& target,
                                          Bytes content) {
  return entry_of(ask(request(Call::kPut).target(target).text(as_text(content)).take()));
}

Result<RemoteEntry> PipedRemoteStore::put_stream(const CallContext&, const UploadTarget& target,
                                                 const ContentSource& content) {
  std::string all(content.size, '\0');
  if (!content.read(0, std::as_writable_bytes(std::span(all))))
    return fail(ErrorCode::kIo, "the content cannot be read");
  return entry_of(ask(request(Call::kPutStream).target(target).text(all).take()));
}

Result<RemoteEntry> PipedRemoteStore::lock(const CallContext&, const RemoteId& file) {
  return entry_of(ask(request(Call::kLock).text(file.value).take()));
}

Result<RemoteEntry> PipedRemoteStore::unlock(const CallContext&, const RemoteId& file,
                                             const std::string& comment) {
  return entry_of(ask(request(Call::kUnlock).text(file.value).text(comment).take()));
}

Result<RemoteEntry> PipedRemoteStore::discard_lock(const CallContext&, const RemoteId& file) {
  return entry_of(ask(request(Call::kDiscardLock).text(file.value).take()));
}

RemoteId PipedRemoteStore::rebase(const RemoteId& id, const RemoteId& from,
                                  const RemoteId& to) const {
  return FakeRemoteStore::rebased(id, from, to);
}

Result<UploadSession> PipedRemoteStore::upload_begin(const CallContext&, const UploadTarget& target,
                                                     std::uint64_t size) {
  TRY_ASSIGN(std::string reply, ask(request(Call::kBegin).target(target).number(size).take()));
  return Reader(std::move(reply)).session();
}

Result<std::optional<RemoteEntry>> PipedRemoteStore::upload_chunk(const CallContext&,
                                                                  UploadSession& session,
                                                                  Bytes chunk) {
  TRY_ASSIGN(std::string reply,
             ask(request(Call::kChunk).session(session).text(as_text(chunk)).take()));
  Reader in(std::move(reply));
  session.next_chunk = in.number();
  if (in.number() == 0) return std::optional<RemoteEntry>();
  return std::optional<RemoteEntry>(in.entry());
}

Result<UploadSession> PipedRemoteStore::upload_resume(const CallContext&,
                                                      const UploadSession& session) {
  TRY_ASSIGN(std::string reply, ask(request(Call::kResume).session(session).take()));
  return Reader(std::move(reply)).session();
}

Result<void> PipedRemoteStore::upload_abort(const CallContext&, const UploadSession& session) {
  return nothing_of(ask(request(Call::kAbort).session(session).take()));
}

}  // namespace cabinetfs
