# The key that wraps every tenant's data key. Destroying a version makes all
# that was wrapped under it unreadable for ever, so Terraform never destroys
# it, and KMS itself waits before it obeys anybody else.

resource "google_kms_key_ring" "this" {
  project  = var.project_id
  name     = "xynergy"
  location = var.region
}

resource "google_kms_crypto_key" "tenants" {
  name                       = "tenant-keys"
  key_ring                   = google_kms_key_ring.this.id
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "${var.rotation_days * 86400}s"
  destroy_scheduled_duration = "${30 * 86400}s"
  labels                     = var.labels

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = var.protection_level
  }

  lifecycle {
    prevent_destroy = true
  }
}
