output "id" {
  description = "Full name of the topic."
  value       = google_pubsub_topic.this.id
}
