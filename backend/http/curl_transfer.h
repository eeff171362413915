#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "backend/base/clock.h"
#include "backend/base/result.h"
#include "backend/http/exchange.h"
#include "backend/http/retry_policy.h"
#include "backend/http/token_bucket.h"

// One attempt of a request as libcurl sees it. Only curl_client.cc includes this: with these two
// and curl_reactor.cc ends the part of the program that knows libcurl. Engine thread only.

namespace cabinetfs {

struct HttpClientOptions;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ShareDeleter {
  void operator()(CURLSH* share) const { curl_share_cleanup(share); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using EasyHandle = std::unique_ptr<CURL, EasyDeleter>;
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

// One running attempt.
struct Transfer {
  std::shared_ptr<Exchange> exchange;
  std::string origin;  // of the slot that it holds
  EasyHandle easy;
  HeaderList headers;
  ByteBudget* download = nullptr;
  ByteBudget* upload = nullptr;
  bool paused_down = false;  // by the byte budgets
  bool paused_up = false;
  curl_off_t seen_down = 0;
  curl_off_t seen_up = 0;
  std::array<char, CURL_ERROR_SIZE> message{};
  long proxy_status = 0;  // its answer to CONNECT, once the attempt has ended
};

// Prepares `transfer.easy` for the current hop of `transfer.exchange`.
Result<void> set_up_transfer(Transfer& transfer, const HttpClientOptions& options, CURLSH* share);

// What a failed attempt means: the row of the retry table, or nothing where no retry can help.
struct TransferFailure {
  std::optional<AttemptEnd> end;
  Error error;
};
TransferFailure describe_failure(const Transfer& transfer, CURLcode result);

// How long the first byte of the answer took after the request; nothing where that does not tell
// how busy the server is: no answer, a failure of the server, a long body that had to be sent
// first.
std::optional<std::chrono::microseconds> first_byte_wait(const Transfer& transfer);

}  // namespace cabinetfs
