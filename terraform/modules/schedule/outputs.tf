output "id" {
  description = "Full name of the job."
  value       = google_cloud_scheduler_job.this.id
}
