#include "tests/e2e/support/test_account.h"

#include <cstdio>
#include <cstdlib>

namespace cabinetfs {

const Capabilities& TestAccount::capabilities() {
  if (!told_) {
    const std::unique_ptr<RemoteStore> store = connect();
    const auto known = store->account(CallContext::within(std::chrono::seconds(30)));
    if (!known) {
      std::fprintf(stderr, "account: %s\n", to_string(known.error()).c_str());
      std::abort();
    }
    told_ = store->capabilities();
  }
  return *told_;
}

}  // namespace cabinetfs
