#pragma once

#include <string>

#include "backend/base/result.h"
#include "cache/sqlite_db.h"

namespace cabinetfs {

class Sealer;

// Rows of the table `counters`.
constexpr std::uint64_t kCounterNodes = 1;      // rows in `nodes`
constexpr std::uint64_t kCounterLogRounds = 3;  // times that the log was begun anew
constexpr std::uint64_t kCounterNextInode = 2;  // the first inode number that is not reserved

// A connection with the settings of this store. `cache_kib`: SQLite's page cache.
Result<Database> open_connection(const std::string& path, int cache_kib);

// Makes the tables in an empty file, or checks those that are there: kNotSupported for a newer
// format, kCorrupt for something else's file, kDenied for another key.
Result<void> prepare_schema(Database& db, const Sealer& sealer);

}  // namespace cabinetfs
