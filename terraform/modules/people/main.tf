# Accounts of people at Identity Platform. Firebase Authentication works without
# this; what it adds is that accounts cannot remove themselves behind our
# documents, and a second factor.

resource "google_identity_platform_config" "this" {
  project                    = var.project_id
  authorized_domains         = sort(tolist(var.authorized_domains))
  autodelete_anonymous_users = true

  # Whoever is invited makes an account first, so that signing up stays open: an
  # account alone belongs to no tenant and may do nothing. Leaving goes through
  # our own operations, which keep a tenant from losing its last administrator.
  client {
    permissions {
      disabled_user_deletion = true
      disabled_user_signup   = false
    }
  }

  sign_in {
    allow_duplicate_emails = false

    anonymous {
      enabled = false
    }

    email {
      enabled           = true
      password_required = true
    }

    phone_number {
      enabled = false
    }
  }

  # An application's codes, not text messages, which can be taken over.
  mfa {
    state = var.second_factor ? "MANDATORY" : "ENABLED"

    provider_configs {
      state = "ENABLED"

      totp_provider_config {
        adjacent_intervals = 1
      }
    }
  }

  monitoring {
    request_logging {
      enabled = true
    }
  }
}
