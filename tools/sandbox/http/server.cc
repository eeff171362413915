#include "tools/sandbox/http/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/http/reply_stream.h"

namespace cabinetfs::sandbox {
namespace {

using std::chrono::steady_clock;

// Parts of a form stay in memory up to the size of an ordinary chunk.
constexpr std::size_t kFormMemory = std::size_t{16} << 20;
constexpr std::size_t kMaxBody = std::size_t{128} << 20;

struct Exchange {
  Request request;
  bool begun = false, admin = false, too_long = false, whole = false;
  const Router::Handler* handler = nullptr;
  Router::Found found = Router::Found::kNoPath;
  std::shared_ptr<FaultRule> fault;
  MHD_PostProcessor* post = nullptr;
  std::filesystem::path spool_dir;
  steady_clock::time_point start{};
  LineTuning tuning;
  Pacer line;
  std::int64_t bytes_in = 0;
  std::shared_ptr<std::atomic<std::int64_t>> bytes_out =
      std::make_shared<std::atomic<std::int64_t>>(0);
  int status = 0;

  ~Exchange() {
    if (post != nullptr) MHD_destroy_post_processor(post);
  }
};

MHD_Result take_header(void* cls, MHD_ValueKind, const char* key, const char* value) {
  std::string name(key);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  static_cast<Request*>(cls)->headers[name] = value == nullptr ? "" : value;
  return MHD_YES;
}

MHD_Result take_form_data(void* cls, MHD_ValueKind, const char* key, const char* filename,
                          const char*, const char*, const char* data, std::uint64_t,
                          std::size_t size) {
  auto& exchange = *static_cast<Exchange*>(cls);
  if (key == nullptr) return MHD_YES;
  auto& spool = exchange.request.form[key];
  if (!spool) spool = std::make_unique<Spool>(exchange.spool_dir, kFormMemory);
  if (filename != nullptr) exchange.request.form_filenames[key] = filename;
  try {
    if (size > 0) spool->append({data, size});
  } catch (const std::exception&) {
    return MHD_NO;  // the disk is full: the post processor gives up and so does the request
  }
  return MHD_YES;
}

std::string peer_of(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (info == nullptr || info->client_addr == nullptr || info->client_addr->sa_family != AF_INET) {
    return "?";
  }
  sockaddr_in address{};
  std::memcpy(&address, info->client_addr, sizeof address);
  char text[INET_ADDRSTRLEN] = {};
  return inet_ntop(AF_INET, &address.sin_addr, text, sizeof text) != nullptr ? text : "?";
}

// Ends the connection with a TCP reset instead of an orderly close.
void reset_connection(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (info == nullptr) return;
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;  // dissolves the association; Linux sends RST
  // If it fails, the connection is closed in the ordinary way right after this.
  static_cast<void>(::connect(info->connect_fd, &nowhere, sizeof nowhere));
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const Options& options, const Application& application, FaultTable& faults,
       Counters& counters, StopSignal& stop)
      : application_(application),
        faults_(faults),
        counters_(counters),
        stop_(stop),
        spool_dir_(options.spool_dir) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
    std::vector<MHD_OptionItem> items = {
        {MHD_OPTION_SOCK_ADDR, 0, &address},
        {MHD_OPTION_CONNECTION_LIMIT, 1000, nullptr},
        // Half of it is the read buffer; all of it is cleared for each request.
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, 128 * 1024, nullptr},
    };
    if (options.tls != nullptr) {
      flags |= MHD_USE_TLS;
      items.push_back(
          {MHD_OPTION_HTTPS_MEM_KEY, 0, const_cast<char*>(options.tls->key_pem.c_str())});
      items.push_back(
          {MHD_OPTION_HTTPS_MEM_CERT, 0, const_cast<char*>(options.tls->certificate_pem.c_str())});
    }
    items.push_back({MHD_OPTION_END, 0, nullptr});
    daemon_ = MHD_start_daemon(flags, options.port, nullptr, nullptr, &Impl::on_request, this,
                               MHD_OPTION_URI_LOG_CALLBACK, &Impl::on_target, this,
                               MHD_OPTION_NOTIFY_COMPLETED, &Impl::on_completed, this,
                               MHD_OPTION_NOTIFY_CONNECTION, &Impl::on_connection, this,
                               MHD_OPTION_ARRAY, items.data(), MHD_OPTION_END);
    if (daemon_ == nullptr) {
      throw std::runtime_error(
          fmt::format("cannot listen on 127.0.0.1:{}: {}", options.port, std::strerror(errno)));
    }
  }

  ~Impl() {
    stop_.stop();  // wakes every thread that waits
    MHD_stop_daemon(daemon_);
  }

  std::uint16_t port() const {
    return MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT)->port;
  }

 private:
  static void* on_target(void*, const char* target, MHD_Connection*) {
    auto exchange = std::make_unique<Exchange>();
    const std::string_view text(target);
    const auto mark = text.find('?');
    exchange->request.path = text.substr(0, mark);
    if (mark != std::string_view::npos) exchange->request.raw_query = text.substr(mark + 1);
    return exchange.release();
  }

  static void on_connection(void* self, MHD_Connection*, void**,
                            MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED) static_cast<Impl*>(self)->counters_.connected();
  }

  static void on_completed(void* self, MHD_Connection*, void** slot, MHD_RequestTerminationCode) {
    const std::unique_ptr<Exchange> exchange(static_cast<Exchange*>(*slot));
    *slot = nullptr;
    if (!exchange || !exchange->begun || exchange->admin) return;
    auto& server = *static_cast<Impl*>(self);
    if (!exchange->whole) server.abort(*exchange);
    server.log(*exchange);
  }

  static MHD_Result on_request(void* self, MHD_Connection* connection, const char*,
                               const char* method, const char*, const char* data, std::size_t* size,
                               void** slot) {
    auto& exchange = *static_cast<Exchange*>(*slot);
    auto& server = *static_cast<Impl*>(self);
    try {
      if (!exchange.begun) {
        server.begin(exchange, connection, method);
        return server.refuse_early(exchange, connection).value_or(MHD_YES);
      }
      if (*size > 0) {
        const std::size_t got = *size;
        *size = 0;
        return server.take_body(exchange, {data, got}) ? MHD_YES : MHD_NO;
      }
      return server.answer(exchange, connection);
    } catch (const std::exception& error) {
      return server.send(exchange, connection, server.application_.failed(error.what()), nullptr);
    }
  }

  void begin(Exchange& exchange, MHD_Connection* connection, const char* method) {
    Request& request = exchange.request;
    exchange.begun = true;
    exchange.start = steady_clock::now();
    request.method = method;
    request.segments = split_path(request.path);
    request.query = parse_query(request.raw_query);
    request.peer = peer_of(connection);
    MHD_get_connection_values(connection, MHD_HEADER_KIND, &take_header, &request);
    exchange.admin = !request.segments.empty() && request.segments.front() == "_admin";
    exchange.spool_dir = spool_dir_;
    if (application_.prepare) application_.prepare(request);
    const Router& router = exchange.admin ? application_.admin : application_.api;
    exchange.found = router.find(request, exchange.handler);
    if (request.endpoint.empty()) request.endpoint = request.method + " (unknown)";
    if (!exchange.admin) {
      exchange.tuning = application_.tuning();
      request.user = application_.identify(request);
      exchange.fault = faults_.match(request);
      counters_.started(request.endpoint);
    }
    const std::string_view type = request.header("content-type");
    if (!exchange.admin && application_.takes_raw_body && application_.takes_raw_body(request)) {
      request.raw = std::make_unique<Spool>(spool_dir_, kFormMemory);
    } else if (!exchange.admin &&  // curl -d calls JSON a form
               (type.rfind("multipart/form-data", 0) == 0 ||
                type.rfind("application/x-www-form-urlencoded", 0) == 0)) {
      exchange.post = MHD_create_post_processor(connection, std::size_t{128} * 1024,
                                                &take_form_data, &exchange);
      if (exchange.post == nullptr) request.form_broken = true;
    }
  }

  // The answer to a request that asks before it sends its body, if that is a refusal.
  std::optional<MHD_Result> refuse_early(Exchange& exchange, MHD_Connection* connection) {
    if (!application_.before_body || exchange.admin || exchange.fault ||
        exchange.request.header("expect") != "100-continue") {
      return std::nullopt;
    }
    auto response = application_.before_body(exchange.request);
    if (!response) return std::nullopt;
    exchange.whole = true;
    return send(exchange, connection, *std::move(response), nullptr);
  }

  void abort(Exchange& exchange) {
    if (!application_.aborted) return;
    try {
      application_.aborted(exchange.request);
    } catch (const std::exception& error) {
      // Nobody is left to be told.
      fmt::print(stderr, "cabinetfs-sandbox: after an aborted request: {}\n", error.what());
    }
  }

  bool take_body(Exchange& exchange, std::string_view piece) {
    exchange.bytes_in += static_cast<std::int64_t>(piece.size());
    if (exchange.fault && exchange.fault->action == FaultAction::kDropUpload &&
        exchange.bytes_in >= exchange.fault->bytes) {
      return false;
    }
    if (exchange.tuning.bandwidth > 0) {
      stop_.sleep_until(exchange.line.book(piece.size(), exchange.tuning.bandwidth));
    }
    if (exchange.tuning.bandwidth_total > 0) {
      stop_.sleep_until(all_in_.book(piece.size(), exchange.tuning.bandwidth_total));
    }
    if (exchange.request.raw) {
      exchange.request.raw->append(piece);
    } else if (exchange.post != nullptr) {
      if (MHD_post_process(exchange.post, piece.data(), piece.size()) != MHD_YES) {
        exchange.request.form_broken = true;
      }
    } else if (exchange.request.body.size() + piece.size() <= kMaxBody) {
      exchange.request.body.append(piece);
    } else {
      exchange.too_long = true;
    }
    return true;
  }

  MHD_Result answer(Exchange& exchange, MHD_Connection* connection) {
    Request& request = exchange.request;
    exchange.whole = true;
    if (exchange.post != nullptr) {
      if (MHD_destroy_post_processor(exchange.post) != MHD_YES) request.form_broken = true;
      exchange.post = nullptr;
    }
    if (!exchange.admin) {
      const auto wait = limiter_.admit(request.peer, exchange.tuning.rate);
      if (wait.count() < 0) return send(exchange, connection, application_.throttled(), nullptr);
      const auto delay = wait + exchange.tuning.latency;
      if (delay.count() > 0) stop_.sleep_until(steady_clock::now() + delay);
    }
    const std::shared_ptr<FaultRule> fault = exchange.fault;
    if (fault && !fault->after_effect) {
      if (const auto result = misbehave(exchange, connection, *fault)) return *result;
    }
    Response response = respond(exchange);
    if (fault && fault->after_effect) {
      if (const auto result = misbehave(exchange, connection, *fault)) return *result;
    }
    return send(exchange, connection, std::move(response), fault);
  }

  Response respond(Exchange& exchange) {
    if (exchange.too_long) return Response::text(413, "text/plain", "request body too long\n");
    if (exchange.handler == nullptr) return application_.not_routed(exchange.found);
    try {
      return (*exchange.handler)(exchange.request);
    } catch (const std::exception& error) {
      return application_.failed(error.what());
    }
  }

  // Nothing if the request goes on after it.
  std::optional<MHD_Result> misbehave(Exchange& exchange, MHD_Connection* connection,
                                      FaultRule& rule) {
    switch (rule.action) {
      case FaultAction::kDelay:
        stop_.sleep_until(steady_clock::now() + std::chrono::milliseconds(rule.ms));
        return std::nullopt;
      case FaultAction::kStatus: {
        Response response = Response::text(rule.status, rule.content_type, rule.body);
        for (const auto& header : rule.headers) response.headers.push_back(header);
        return send(exchange, connection, std::move(response), nullptr);
      }
      case FaultAction::kReset:
        reset_connection(connection);
        return MHD_NO;
      case FaultAction::kDrop:
        return MHD_NO;
      case FaultAction::kDropUpload:
        return MHD_NO;  // the body was shorter than the rule wants: close at its end
      case FaultAction::kStall:
        faults_.stall(rule);
        if (stop_.stopped()) return MHD_NO;
        return std::nullopt;
      case FaultAction::kTruncate:
      case FaultAction::kCorrupt:
      case FaultAction::kSlow:
        return std::nullopt;  // these are about the body of the answer
    }
    return std::nullopt;
  }

  MHD_Result send(Exchange& exchange, MHD_Connection* connection, Response response,
                  std::shared_ptr<FaultRule> fault) {
    const int status = response.status;
    MHD_Response* out = ReplyStream::to_mhd(
        std::make_unique<ReplyStream>(std::move(response), std::move(fault), exchange.tuning,
                                      all_out_, stop_, exchange.bytes_out));
    if (out == nullptr) return MHD_NO;
    exchange.status = status;
    const MHD_Result result = MHD_queue_response(connection, static_cast<unsigned>(status), out);
    MHD_destroy_response(out);
    return result;
  }

  void log(const Exchange& exchange) {
    const Request& request = exchange.request;
    Counters::Entry entry;
    entry.method = request.method;
    entry.path = request.path;
    entry.query = request.raw_query;
    entry.range = request.header("range");
    entry.endpoint = request.endpoint;
    entry.user = request.user;
    entry.fault = exchange.fault ? exchange.fault->action_name : "";
    entry.status = exchange.status;
    entry.ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - exchange.start)
            .count();
    entry.bytes_in = exchange.bytes_in;
    entry.bytes_out = *exchange.bytes_out;
    counters_.finished(std::move(entry));
  }

  const Application& application_;
  FaultTable& faults_;
  Counters& counters_;
  StopSignal& stop_;
  const std::filesystem::path spool_dir_;
  RateLimiter limiter_;
  Pacer all_in_, all_out_;
  MHD_Daemon* daemon_ = nullptr;
};

HttpServer::HttpServer(const Options& options, const Application& application, FaultTable& faults,
                       Counters& counters, StopSignal& stop)
    : impl_(std::make_unique<Impl>(options, application, faults, counters, stop)) {}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const { return impl_->port(); }

}  // namespace cabinetfs::sandbox
