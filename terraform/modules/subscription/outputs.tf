output "dead_letter_topic" {
  description = "Topic of what was set aside."
  value       = google_pubsub_topic.dead_letter.id
}

output "id" {
  description = "Full name of the subscription."
  value       = google_pubsub_subscription.this.id
}
