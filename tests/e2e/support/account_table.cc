#include <cstdlib>

#include "tests/e2e/support/test_account.h"
#ifdef CABINETFS_TEST_WEBDAV
#include "tests/support/dav_servers.h"
#endif

namespace cabinetfs {

const std::vector<AccountKind>& account_table() {
  static const std::vector<AccountKind> all = {
      {"Fake", make_fake_account, "", true},
#ifdef CABINETFS_TEST_KITEWORKS
      {"Kiteworks", make_kiteworks_account, "", true},
#endif
#ifdef CABINETFS_TEST_KENESTO
      {"Kenesto", make_kenesto_account, ""},
      {"KenestoAsDocumented", make_kenesto_as_documented_account, ""},
#endif
#ifdef CABINETFS_TEST_POWERFOLDER
      {"PowerFolder", make_powerfolder_account, ""},
#endif
#ifdef CABINETFS_TEST_WEBDAV
      {"WebDav", make_webdav_account, DavServer::missing(DavServer::Kind::kApache)},
#endif
  };
  return all;
}

}  // namespace cabinetfs
