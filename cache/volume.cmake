# The tree, the reconciler and the volume's calls.
find_package(OpenSSL REQUIRED)
cabinet_library(cabinet_volume
  SOURCES apply.cc digest.cc file_table.cc listing.cc plan.cc reconcile_tree.cc reconciler.cc tree.cc upload_task.cc
          volume_changes.cc volume_core.cc volume_data.cc volume_impl.cc volume_names.cc volume_remote.cc volume_together.cc volume_unsent.cc
          walk_ahead.cc
  LIBS cabinet_meta cabinet_content cabinet_backend)
target_link_libraries(cabinet_volume PRIVATE OpenSSL::Crypto)
