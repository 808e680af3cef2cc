output "name" {
  description = "Database id, once the database exists."
  value       = google_firestore_database.this.name
}
