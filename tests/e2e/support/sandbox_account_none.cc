#include "tests/e2e/support/test_account.h"

namespace cabinetfs {

bool has_sandbox_account() { return false; }
std::unique_ptr<TestAccount> make_sandbox_account() { return nullptr; }

}  // namespace cabinetfs
