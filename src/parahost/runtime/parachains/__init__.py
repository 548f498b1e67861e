"""The parachain host: the guide's runtime modules, one file each, and what ties them together.

- :mod:`~.initializer`, :mod:`~.configuration`, :mod:`~.paras`, :mod:`~.scheduler`,
  :mod:`~.inclusion`, :mod:`~.inclusion_inherent`, :mod:`~.validity`: the modules
- :mod:`~.included`, :mod:`~.windows`, :mod:`~.approvals`, :mod:`~.disputes`,
  :mod:`~.remote_disputes`: the modules of which Validity is made
- :mod:`~.admission`: executing the inherent, or making it
- :mod:`~.host`: all of them together, ``Parachains``
- :mod:`~.sanitize`: what a block's author keeps of what it was given
- :mod:`~.api`: the Runtime APIs that the node asks
"""

from parahost.runtime.parachains.host import Parachains

__all__ = ["Parachains"]
