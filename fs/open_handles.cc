#include "fs/open_handles.h"

#include "backend/base/log.h"

namespace cabinetfs {

bool ServedListings::is(InodeNumber folder, const DirListing& listing) const {
  MutexLock lock(mutex_);
  const auto found = served_.find(folder);
  return found != served_.end() && found->second.lock() == listing;
}

void ServedListings::read(InodeNumber folder, const DirListing& listing, bool start) {
  MutexLock lock(mutex_);
  if (start) {
    if (served_.size() >= kMaxFolders) served_.clear();
    served_[folder] = listing;
  } else if (const auto found = served_.find(folder);
             found != served_.end() && found->second.lock() != listing) {
    served_.erase(found);
  }
}

OpenHandles::~OpenHandles() { release_all(); }

std::uint64_t OpenHandles::add(FileHandle handle) {
  auto owned = std::make_unique<FileHandle>(std::move(handle));
  MutexLock lock(mutex_);
  files_.insert(owned.get());
  return reinterpret_cast<std::uint64_t>(owned.release());
}

void OpenHandles::remove_file(std::uint64_t number) {
  std::unique_ptr<FileHandle> handle;
  {
    MutexLock lock(mutex_);
    auto* const key = reinterpret_cast<FileHandle*>(number);
    if (files_.erase(key) == 0) return;
    handle.reset(key);
  }
  if (handle->file) volume_.release(std::move(handle->file));
}

std::uint64_t OpenHandles::add_folder(InodeNumber ino, DirListing listing, bool may_use_pages) {
  MutexLock lock(mutex_);
  const bool uses_pages = may_use_pages && !page_users_.contains(ino);
  auto owned = std::make_unique<FolderHandle>(ino, std::move(listing), uses_pages);
  if (uses_pages) page_users_.insert(ino);
  folders_.insert(owned.get());
  return reinterpret_cast<std::uint64_t>(owned.release());
}

void OpenHandles::remove_folder(std::uint64_t number) {
  std::unique_ptr<FolderHandle> handle;
  MutexLock lock(mutex_);
  auto* const key = reinterpret_cast<FolderHandle*>(number);
  if (folders_.erase(key) == 0) return;
  handle.reset(key);
  if (key->uses_pages()) page_users_.erase(key->ino());
}

void OpenHandles::release_all() {
  std::unordered_set<FileHandle*> files;
  std::unordered_set<FolderHandle*> folders;
  {
    MutexLock lock(mutex_);
    files.swap(files_);
    folders.swap(folders_);
    page_users_.clear();
  }
  for (FolderHandle* folder : folders) delete folder;
  for (FileHandle* handle : files) {
    const std::unique_ptr<FileHandle> owned(handle);
    if (!owned->file) continue;
    // The writes of a program that never came to its close() are kept like those of one that did.
    CallContext call;
    call.may_block = false;
    if (owned->file->flags().write) {
      const auto flushed = volume_.flush(call, *owned->file);
      // kWouldBlock: the content is safe here and only the server's answer is missing.
      if (!flushed && flushed.error().code != ErrorCode::kWouldBlock) {
        log_error("closing a file at unmount: {}", to_string(flushed.error()));
      }
    }
    volume_.release(std::move(owned->file));
  }
}

std::size_t OpenHandles::open_files() const {
  MutexLock lock(mutex_);
  return files_.size();
}

}  // namespace cabinetfs
