output "address" {
  description = "IP address of the load balancer, for the domain's A record."
  value       = one(module.load_balancer[*].address)
}

output "front_door" {
  description = "Where callers go."
  value = (
    var.front_door == "gateway" ? "https://${module.gateway[0].host}" : "https://${var.domain}"
  )
}

output "functions" {
  description = "Address of every function."
  value       = { for name in keys(local.functions) : name => module.function[name].url }
}

output "grants" {
  description = "Every permission of every function, with its reason."
  value       = local.needs
}

output "secrets" {
  description = "Secrets that need a value before functions start."
  value       = local.secrets
}
