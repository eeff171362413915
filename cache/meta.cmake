# Sealing, the metadata store, names and the LRU.
find_package(OpenSSL REQUIRED)
pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3)
cabinet_library(cabinet_meta
  SOURCES aes_gcm_sealer.cc crc32c.cc keyed_hash.cc plain_sealer.cc posix_env.cc sealer.cc
  LIBS cabinet_backend)
target_link_libraries(cabinet_meta PRIVATE PkgConfig::SQLITE3 OpenSSL::Crypto)
