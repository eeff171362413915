# The tree, the reconciler and the volume's calls.
find_package(OpenSSL REQUIRED)
cabinet_library(cabinet_volume
  SOURCES apply.cc base_version.cc digest.cc file_table.cc listing.cc path_ids.cc pin_keeper.cc plan.cc
          reconcile_place.cc reconcile_tree.cc reconciler.cc tree.cc upload_send.cc upload_task.cc
          volume_changes.cc volume_check.cc volume_core.cc volume_data.cc volume_impl.cc volume_names.cc volume_place.cc
          volume_remote.cc volume_together.cc volume_unsent.cc
          walk_ahead.cc write_lock.cc
  LIBS cabinet_meta cabinet_content cabinet_backend)
target_link_libraries(cabinet_volume PRIVATE OpenSSL::Crypto)
