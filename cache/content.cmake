# Staged writes, the block cache, fetching and read-ahead.
find_package(OpenSSL REQUIRED)
pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3)
cabinet_library(cabinet_content
  SOURCES block_index.cc block_map.cc block_memory.cc block_ranges.cc block_slots.cc cached_content.cc
    cached_fetch.cc cached_store.cc content_adopt.cc content_hash.cc content_record.cc content_store.cc fetcher.cc
    read_ahead.cc slot_file.cc staged_content.cc staged_read.cc
  LIBS cabinet_meta)
target_link_libraries(cabinet_content PRIVATE PkgConfig::SQLITE3 OpenSSL::Crypto)
