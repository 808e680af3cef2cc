output "name" {
  description = "Name of the queue."
  value       = google_cloud_tasks_queue.this.name
}
