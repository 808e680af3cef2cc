output "account" {
  description = "Account of the builds, once it may build."
  value       = google_service_account.build.id
  depends_on = [
    google_artifact_registry_repository_iam_member.writer,
    google_project_iam_member.copies,
    google_project_iam_member.logs,
    google_storage_bucket_iam_member.bundles,
  ]
}

output "repository" {
  description = "Repository of the images."
  value       = google_artifact_registry_repository.images.id
}
