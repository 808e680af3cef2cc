output "host" {
  description = "Host name of the gateway."
  value       = google_api_gateway_gateway.this.default_hostname
}
