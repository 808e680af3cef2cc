# Redis, the private network it is in, and the functions' way into it.

resource "google_compute_network" "this" {

  project                 = var.project_id
  name                    = "xynergy"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "connector" {

  project                  = var.project_id
  region                   = var.region
  name                     = "xynergy-connector"
  network                  = google_compute_network.this.id
  ip_cidr_range            = "10.8.0.0/28"
  private_ip_google_access = true
}

# Direct egress would save the connector's machines; this provider version
# offers it for Cloud Run services only.
resource "google_vpc_access_connector" "this" {
  project       = var.project_id
  region        = var.region
  name          = "xynergy"
  machine_type  = "e2-micro"
  min_instances = 2
  max_instances = 3

  subnet {
    name = google_compute_subnetwork.connector.name
  }
}

resource "google_redis_instance" "this" {

  project            = var.project_id
  region             = var.region
  name               = "xynergy"
  display_name       = "Caches, rates and breakers"
  tier               = var.tier
  memory_size_gb     = var.memory_gb
  redis_version      = "REDIS_7_2"
  authorized_network = google_compute_network.this.id
  auth_enabled       = true

  redis_configs = {
    # Everything in it can be computed again: a full cache drops what is old.
    maxmemory-policy = "allkeys-lru"
  }

  maintenance_policy {
    weekly_maintenance_window {
      day = "SUNDAY"

      start_time {
        hours   = 3
        minutes = 0
        nanos   = 0
        seconds = 0
      }
    }
  }
}

# The address carries the password, so it is handed over as a secret.
resource "google_secret_manager_secret" "url" {
  project   = var.project_id
  secret_id = "REDIS_URL"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}

resource "google_secret_manager_secret_version" "url" {
  secret = google_secret_manager_secret.url.id
  secret_data = format(
    "redis://:%s@%s:%d/0",
    google_redis_instance.this.auth_string,
    google_redis_instance.this.host,
    google_redis_instance.this.port,
  )
}
