#pragma once

namespace cabinetfs::internal {

// Calls the hook of MetaStore::set_sync_point_hook, if a test has set one.
void sync_point(const char* name);

}  // namespace cabinetfs::internal
