# An HTTPS load balancer: one backend for all functions, which finds each by the
# first part of the path, under one's own domain and behind Cloud Armor.

resource "google_compute_global_address" "this" {
  project = var.project_id
  name    = "xynergy"
}

resource "google_compute_managed_ssl_certificate" "this" {
  project = var.project_id
  # A certificate cannot be changed; the name follows the domain.
  name = "xynergy-${substr(sha256(var.domain), 0, 8)}"

  managed {
    domains = [var.domain]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_region_network_endpoint_group" "functions" {
  project               = var.project_id
  region                = var.region
  name                  = "xynergy-functions"
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    url_mask = "/<service>"
  }
}

resource "google_compute_security_policy" "this" {
  project     = var.project_id
  name        = "xynergy"
  description = "Stops floods before they cost anything; the platform's own limits are per key."

  # Known probes never reach a function, nor its bill.
  rule {
    action      = "deny(403)"
    priority    = 900
    description = "Attempts at well-known holes (Log4j and its kin)."

    match {
      expr {
        expression = "evaluatePreconfiguredExpr('cve-canary')"
      }
    }
  }

  # One address that calls this often is no person and no well-made client.
  rule {
    action      = "throttle"
    priority    = 1000
    description = "Per address, ${var.requests_per_minute} requests a minute."

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.requests_per_minute
        interval_sec = 60
      }
    }
  }

  rule {
    action      = "allow"
    priority    = 2147483647
    description = "The policy's default."

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

resource "google_compute_backend_service" "functions" {
  project               = var.project_id
  name                  = "xynergy-functions"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = google_compute_security_policy.this.id

  backend {
    group = google_compute_region_network_endpoint_group.functions.id
  }

  log_config {
    enable      = true
    sample_rate = 1
  }
}

# The mask would find any Cloud Run service of the region: the map lets through
# the HTTP functions of the manifest and answers 404 for the rest.
resource "google_compute_url_map" "this" {
  project         = var.project_id
  name            = "xynergy"
  default_service = google_compute_backend_service.functions.id

  host_rule {
    hosts        = [var.domain]
    path_matcher = "functions"
  }

  path_matcher {
    name = "functions"

    default_route_action {
      fault_injection_policy {
        abort {
          http_status = 404
          percentage  = 100
        }
      }

      weighted_backend_services {
        backend_service = google_compute_backend_service.functions.id
        weight          = 100
      }
    }

    path_rule {
      paths   = flatten([for name in var.functions : ["/${name}", "/${name}/*"]])
      service = google_compute_backend_service.functions.id
    }
  }
}

resource "google_compute_ssl_policy" "this" {
  project         = var.project_id
  name            = "xynergy"
  min_tls_version = "TLS_1_2"
  profile         = "RESTRICTED"
}

resource "google_compute_target_https_proxy" "this" {
  project          = var.project_id
  name             = "xynergy"
  ssl_certificates = [google_compute_managed_ssl_certificate.this.id]
  ssl_policy       = google_compute_ssl_policy.this.id
  url_map          = google_compute_url_map.this.id
}

# Port 80 stays closed: a credential sent in clear once is a credential lost,
# and a redirect would hide that it was.
resource "google_compute_global_forwarding_rule" "https" {
  project               = var.project_id
  name                  = "xynergy-https"
  ip_address            = google_compute_global_address.this.id
  load_balancing_scheme = "EXTERNAL_MANAGED"
  port_range            = "443"
  target                = google_compute_target_https_proxy.this.id
}
