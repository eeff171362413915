#include "backend/auth/token_source.h"

#include <atomic>
#include <utility>

namespace cabinetfs {
namespace {

class FixedTokenSource final : public TokenSource {
 public:
  FixedTokenSource(std::string remote, SecretString token)
      : remote_(std::move(remote)), token_(std::move(token)) {}

  Result<std::string> token(const CallContext&) override {
    if (rejected_ || token_.empty()) {
      return fail(
          ErrorCode::kUnauthenticated,
          remote_ + ": the token is not accepted any more; run `cabinetfs login " + remote_ + "`");
    }
    return token_.reveal();
  }

  void invalidate(const std::string& rejected_token) override {
    if (rejected_token == token_.reveal()) rejected_ = true;
  }

 private:
  const std::string remote_;
  const SecretString token_;
  std::atomic<bool> rejected_ = false;
};

}  // namespace

std::unique_ptr<TokenSource> make_fixed_token_source(std::string remote, SecretString token) {
  return std::make_unique<FixedTokenSource>(std::move(remote), std::move(token));
}

}  // namespace cabinetfs
