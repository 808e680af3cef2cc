output "channels" {
  description = "Where alerts go."
  value       = local.channels
}
