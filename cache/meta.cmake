# Sealing, the metadata store, names and the LRU.
find_package(OpenSSL REQUIRED)
pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3)
cabinet_library(cabinet_meta
  SOURCES aes_gcm_sealer.cc checkpointer.cc crc32c.cc keyed_hash.cc meta_reader.cc meta_rows.cc
          meta_schema.cc meta_store.cc meta_writer.cc name_codec.cc node_codec.cc plain_sealer.cc
          posix_env.cc record_codec.cc sealer.cc sqlite_db.cc store_key.cc tlv.cc wal_sync.cc
  LIBS cabinet_backend)
target_link_libraries(cabinet_meta PRIVATE PkgConfig::SQLITE3 OpenSSL::Crypto)
